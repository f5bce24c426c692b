// The curves of a run. While it trains, they follow its files once a second; values on hover, zoom by dragging.
const place = document.getElementById("live");
const style = getComputedStyle(document.documentElement);
const color = (name) => style.getPropertyValue(name).trim();
const COLORS = { train: color("--accent"), val: color("--good"), early: color("--faint") };
const LABELS = {
  train: "train, mean of the epoch", running: "train, epoch so far", val: "val", early: "val, between epochs",
};
const charts = new Map();

function tables(data, metric) {
  const history = data.history, steps = history.step ?? history.epoch;
  const found = [];
  if (history[metric]) found.push(["train", COLORS.train, [], steps, history[metric]]);
  const column = metric === "loss" ? 1 : 2;
  const points = data.points.filter((point) => point[column] !== null);
  if (points.length) found.push(["running", COLORS.train, [4, 4], points.map((p) => p[0]), points.map((p) => p[column])]);
  if (history[`val_${metric}`]) found.push(["val", COLORS.val, [], steps, history[`val_${metric}`]]);
  if (data.curve[`val_${metric}`]) found.push(["early", COLORS.early, [2, 3], data.curve.step, data.curve[`val_${metric}`]]);
  return found;
}

function draw(data, metric) {
  const node = document.getElementById(`plot-${metric}`), found = tables(data, metric);
  node.parentElement.hidden = found.length === 0;
  if (!found.length) return;
  const joined = uPlot.join(found.map(([, , , x, y]) => [x, y]));
  const kinds = found.map(([kind]) => kind).join();
  const old = charts.get(metric);
  if (old?.kinds === kinds) {
    // A part that was zoomed into stays in view.
    old.chart.setData(joined, !old.isZoomed());
    return;
  }
  old?.chart.destroy();
  const axis = { stroke: color("--ink"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") } };
  const number = (chart, value) => (value === null || value === undefined ? "–" : value.toFixed(4));
  let full = [0, 0];
  const chart = new uPlot({
    width: node.clientWidth, height: 260,
    scales: { x: { time: false } },
    axes: [{ ...axis, label: data.history.step ? "step" : "epoch", labelSize: 18 }, { ...axis, size: 60 }],
    series: [
      { label: "at", value: (chart, value) => (value === null || value === undefined ? "–" : String(value)) },
      ...found.map(([kind, stroke, dash]) => ({
        label: LABELS[kind], stroke, dash, width: 2, spanGaps: true, value: number, points: { show: kind === "val" || kind === "train", size: 5 },
      })),
    ],
    hooks: { setData: [(chart) => { full = [chart.data[0][0], chart.data[0].at(-1)]; }] },
  }, joined, node);
  const isZoomed = () => chart.scales.x.min > full[0] || chart.scales.x.max < full[1];
  charts.set(metric, { chart, kinds, isZoomed: () => isZoomed() && chart.scales.x.min !== chart.scales.x.max });
}

const units = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
function duration(seconds) {
  const [name, size] = units.find(([, size]) => seconds >= size) ?? units[3];
  return `${(seconds / size).toFixed(seconds / size < 10 && size > 1 ? 1 : 0)} ${name}`;
}

function describe(data) {
  const at = data.progress, line = document.getElementById("position"), bar = document.getElementById("share");
  line.hidden = bar.hidden = !at;
  if (!at) return;
  bar.value = at.share;
  const parts = [`${at.phase === "validating" ? "validating after " : ""}epoch ${at.epoch} of ${at.epochs}, step ${at.step.toLocaleString("en")} of ${at.steps.toLocaleString("en")}`];
  if (data.status === "running") {
    if (at.steps_per_second) parts.push(`${at.steps_per_second.toFixed(1)} steps a second`, `${Math.round(at.images_per_second).toLocaleString("en")} images a second`);
    if (at.seconds_left !== null) parts.push(`about ${duration(at.seconds_left)} left`);
    if (at.memory_bytes) parts.push(`${(at.memory_bytes / 2 ** 30).toFixed(2)} GiB of memory`);
  }
  line.textContent = parts.join(" · ");
}

function gradients(data) {
  const table = document.getElementById("gradients");
  table.closest("details").hidden = data.gradients.length === 0;
  const size = (value) => (value === null ? "not finite" : value.toExponential(2));
  table.tBodies[0].replaceChildren(...data.gradients.map((row) => {
    const line = document.createElement("tr");
    for (const [text, kind] of [[row.layer, ""], [size(row.mean_gradient), "n"], [size(row.update_ratio), "n"]]) {
      const cell = line.insertCell();
      cell.textContent = text;
      cell.className = kind;
    }
    return line;
  }));
}

async function update() {
  let again = place.dataset.status === "running";
  try {
    const answer = await fetch(place.dataset.address, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const data = await answer.json();
    // Its metrics, its report and its files are on the page now.
    if (data.status !== place.dataset.status) return location.reload();
    place.hidden = false;
    for (const metric of ["accuracy", "loss"]) draw(data, metric);
    describe(data);
    gradients(data);
    place.classList.remove("lost");
  } catch {
    place.classList.add("lost");
  }
  if (again) setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", update, { once: true }) : update()), 1000);
}
if (place) {
  update();
  window.addEventListener("resize", () => {
    for (const { chart } of charts.values()) chart.setSize({ width: chart.root.parentElement.clientWidth, height: 260 });
  });
}
