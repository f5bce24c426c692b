// Curves by uPlot: values on hover, zoom by dragging. While new values come, a part that was zoomed into stays in view.
const style = getComputedStyle(document.documentElement);
const color = (name) => style.getPropertyValue(name).trim();
const present = (value) => value !== null && value !== undefined;
const HEIGHT = 260;
const WHOLE = Array.from({ length: 10 }, (_, k) => [1, 2, 5].map((digit) => digit * 10 ** k)).flat();
const charts = new Map();

// Each line: label, x, y, the name of its colour, and maybe dash, points, stepped, or text (of a value and its position).
function drawPlot(node, lines, label) {
  node.parentElement.hidden = lines.length === 0;
  if (!lines.length) return;
  const shared = lines.every((line) => line.x === lines[0].x);
  const joined = shared ? [lines[0].x, ...lines.map((line) => line.y)] : uPlot.join(lines.map((line) => [line.x, line.y]));
  const kinds = lines.map((line) => line.label).join();
  const old = charts.get(node);
  if (old) old.lines = lines;
  if (old?.kinds === kinds) {
    old.chart.setData(joined, !old.isZoomed());
    return;
  }
  old?.chart.destroy();
  // Colours are asked for at each drawing, so that they follow a change between light and dark.
  const axis = { stroke: () => color("--ink"), grid: { stroke: () => color("--line"), width: 1 }, ticks: { stroke: () => color("--line") } };
  const held = { kinds, lines };
  let full = [0, 0];
  const value = (chart, found, series, at) => (present(found) ? held.lines[series - 1].text?.(found, at) ?? found.toFixed(4) : "–");
  held.chart = new uPlot({
    width: node.clientWidth, height: HEIGHT,
    scales: { x: { time: false } },
    // There is no half epoch.
    axes: [{ ...axis, label, labelSize: 18, incrs: label.startsWith("minutes") ? undefined : WHOLE }, { ...axis, size: 60 }],
    series: [
      { label: "at", value: (chart, found) => (present(found) ? String(Number(found.toPrecision(6))) : "–") },
      ...lines.map((line) => ({
        label: line.label, stroke: () => color(line.color), dash: line.dash, width: 2, spanGaps: true, value,
        paths: line.points === "only" ? () => null : line.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
        points: { show: Boolean(line.points), size: line.points === "only" ? 7 : 5, fill: line.points === "only" ? () => color(line.color) : undefined },
      })),
    ],
    hooks: { setData: [(chart) => { full = [chart.data[0][0], chart.data[0].at(-1)]; }] },
  }, joined, node);
  held.isZoomed = () => {
    const { min, max } = held.chart.scales.x;
    return (min > full[0] || max < full[1]) && min !== max;
  };
  charts.set(node, held);
}

window.addEventListener("resize", () => {
  for (const [node, { chart }] of charts) chart.setSize({ width: node.clientWidth, height: HEIGHT });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const { chart } of charts.values()) chart.redraw();
});

// Ask a function every second while something runs and the page is seen, and now and then otherwise.
function followWhile(isRunning, update) {
  const again = () => setTimeout(() => {
    if (document.hidden) document.addEventListener("visibilitychange", step, { once: true });
    else step();
  }, isRunning() ? 1000 : 10000);
  const step = async () => {
    await update();
    again();
  };
  step();
}

// What the server knows now; null if it does not answer, which the section says.
async function ask(section, address) {
  try {
    const answer = await fetch(address, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const found = await answer.json();
    section.classList.remove("lost");
    return found;
  } catch {
    section.classList.add("lost");
    return null;
  }
}
