// Parallel coordinates of the trials of a search, in SVG: uPlot draws values over one x axis that they share, and here each value
// has an axis of its own. A drag along an axis keeps the trials within it, by mouse, finger or pen; by the keyboard, the ends of a
// range are sliders.
const SPACING = 118, TOP = 34, TALL = 250, BOTTOM = 40, LEFT = 46, RIGHT = 92, NEAR = 14;
// Where the lines of trials in which a value is not active pass its axis: below it.
const INACTIVE = -0.1;

function svg(name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

const shorten = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

// An axis has a scale if it has ends; a choice has one tick for each of its values.
function valueAt(axis, place) {
  if (axis.low === undefined) return place;
  return axis.log ? axis.low * (axis.high / axis.low) ** place : axis.low + place * (axis.high - axis.low);
}
function placeOf(axis, value) {
  if (axis.low === undefined) return value;
  if (axis.high === axis.low) return 0.5;
  const place = axis.log ? Math.log(value / axis.low) / Math.log(axis.high / axis.low) : (value - axis.low) / (axis.high - axis.low);
  return Math.min(Math.max(place, 0), 1);
}
function textAt(axis, place) {
  if (axis.low !== undefined) {
    const value = valueAt(axis, place);
    return String(axis.whole ? Math.round(value) : Number(value.toPrecision(4)));
  }
  return axis.ticks.reduce((best, tick) => (Math.abs(tick[0] - place) < Math.abs(best[0] - place) ? tick : best))[1];
}

// Draw into a node; `changed` is called with the ids of the trials that are kept, or null without a range.
function parallelCoordinates(node, changed) {
  const plot = node.querySelector("svg"), said = node.querySelector("[role=status]"), reset = node.querySelector("button");
  const hover = node.querySelector("output");
  // Ranges are kept as values: the ends of an axis of measured numbers move while trials end.
  const ranges = new Map();
  let data = null, waiting = null, dragging = null, lines = [], step = SPACING;

  const x = (k) => LEFT + k * step;
  const y = (place) => TOP + (1 - place) * TALL;
  const placeAt = (event) => {
    const box = plot.getBoundingClientRect();
    return Math.min(Math.max(1 - (event.clientY - box.top - TOP) / TALL, 0), 1);
  };
  const rangeOf = (axis) => ranges.get(axis.key)?.map((value) => placeOf(axis, value)) ?? [0, 1];

  function setRange(axis, low, high) {
    if (low <= 0 && high >= 1) ranges.delete(axis.key);
    else ranges.set(axis.key, [valueAt(axis, low), valueAt(axis, high)]);
    mark();
  }

  // Show which lines are kept, and the ranges.
  function mark() {
    const narrowed = data.axes.map((axis, k) => [axis, k]).filter(([axis]) => ranges.has(axis.key));
    const kept = data.trials.filter((trial) => narrowed.every(([axis, k]) => {
      const [low, high] = rangeOf(axis);
      return trial.at[k] !== null && trial.at[k] >= low - 1e-6 && trial.at[k] <= high + 1e-6;
    }));
    const ids = new Set(kept.map((trial) => trial.id));
    for (const { trial, path } of lines) path.classList.toggle("off", !ids.has(trial.id));
    data.axes.forEach((axis, k) => {
      const [low, high] = rangeOf(axis), group = plot.querySelector(`[data-axis="${k}"]`);
      const band = group.querySelector(".band");
      band.setAttribute("y", y(high));
      band.setAttribute("height", Math.max((high - low) * TALL, 2));
      band.classList.toggle("off", !ranges.has(axis.key));
      for (const [name, place] of [["from", low], ["to", high]]) {
        const thumb = group.querySelector(`[data-end=${name}]`);
        thumb.setAttribute("y", y(place) - 4);
        thumb.setAttribute("aria-valuenow", place.toFixed(3));
        thumb.setAttribute("aria-valuetext", textAt(axis, place));
      }
    });
    const texts = narrowed.map(([axis]) => {
      const [from, to] = rangeOf(axis).map((place) => textAt(axis, place));
      return `${axis.name} ${from === to ? from : `${from} to ${to}`}`;
    });
    said.textContent = texts.length ? `${kept.length} of ${data.trials.length} finished trials: ${texts.join(", ")}` : `All ${data.trials.length} finished trials`;
    reset.disabled = !texts.length;
    changed(texts.length ? ids : null);
  }

  // The slider of one end of a range.
  function thumb(axis, end) {
    const name = `${axis.name}, ${end === 0 ? "from" : "to"}`;
    const node = svg("rect", {
      class: "thumb", width: 24, height: 8, rx: 3, "data-end": end === 0 ? "from" : "to", tabindex: 0, role: "slider", "aria-label": name,
      "aria-valuemin": 0, "aria-valuemax": 1, "aria-orientation": "vertical",
    });
    node.addEventListener("keydown", (event) => {
      const range = rangeOf(axis), now = range[end];
      const stops = axis.low === undefined ? axis.ticks.map((tick) => tick[0]).sort((a, b) => a - b) : null;
      const move = (by) => {
        if (!stops) return now + by / 20;
        const next = by > 0 ? stops.filter((stop) => stop > now + 1e-6) : stops.filter((stop) => stop < now - 1e-6).reverse();
        return next[Math.min(Math.abs(by), next.length) - 1] ?? now;
      };
      const moves = {
        ArrowUp: () => move(1), ArrowRight: () => move(1), ArrowDown: () => move(-1), ArrowLeft: () => move(-1),
        PageUp: () => move(5), PageDown: () => move(-5), Home: () => 0, End: () => 1,
      };
      if (event.key === "Escape") setRange(axis, 0, 1);
      else if (moves[event.key]) {
        const other = range[1 - end];
        range[end] = end === 0 ? Math.max(Math.min(moves[event.key](), other), 0) : Math.min(Math.max(moves[event.key](), other), 1);
        setRange(axis, ...range);
      } else return;
      event.preventDefault();
    });
    return node;
  }

  function axisGroup(axis, k) {
    const group = svg("g", { class: "axis", "data-axis": k, role: "group", "aria-label": axis.name });
    const title = svg("text", { x: x(k), y: 14, "text-anchor": "middle", class: "name" }, shorten(axis.name, 17));
    title.append(svg("title", {}, axis.key));
    const at = [...axis.ticks].sort((a, b) => a[0] - b[0]);
    const shown = at.filter((tick, n) => n === 0 || n === at.length - 1 || at.length <= 12);
    const isInactive = data.trials.some((trial) => trial.at[k] === null);
    const band = svg("rect", { class: "band", x: x(k) - 9, width: 18 });
    const hit = svg("rect", { class: "hit", x: x(k) - 18, y: TOP - 10, width: 36, height: TALL + 20 });
    group.append(
      title, svg("line", { x1: x(k), x2: x(k), y1: TOP, y2: TOP + TALL }), band,
      ...shown.map(([place, text]) => svg("text", { x: x(k) + 15, y: y(place) + 4 }, shorten(text, 13))),
      ...(isInactive ? [svg("text", { x: x(k) + 6, y: y(INACTIVE) + 4 }, "not active")] : []), hit,
    );
    for (const end of [0, 1]) {
      const node = thumb(axis, end);
      node.setAttribute("x", x(k) - 12);
      group.append(node);
    }
    // A finger on an axis draws a range; everywhere else it scrolls. Browsers do not heed `touch-action` within an SVG.
    group.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    group.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const range = rangeOf(axis), place = placeAt(event), [below, above] = range.map((end) => Math.abs(end - place) * TALL);
      // Near an end of a range, this end is moved; elsewhere a new range begins.
      const isEnd = Math.min(below, above) < NEAR && ranges.has(axis.key);
      dragging = { axis, fixed: isEnd ? range[below < above ? 1 : 0] : place, isEnd, start: event.clientY, moved: false };
      group.setPointerCapture(event.pointerId);
    });
    group.addEventListener("pointermove", (event) => {
      if (!dragging || !group.hasPointerCapture(event.pointerId)) return;
      dragging.moved ||= Math.abs(event.clientY - dragging.start) > 3;
      if (dragging.moved) setRange(axis, Math.min(dragging.fixed, placeAt(event)), Math.max(dragging.fixed, placeAt(event)));
    });
    const end = () => {
      if (!dragging) return;
      // A click without a drag takes the range away.
      if (!dragging.moved && !dragging.isEnd) setRange(axis, 0, 1);
      dragging = null;
      if (waiting) show(waiting);
    };
    group.addEventListener("pointerup", end);
    group.addEventListener("pointercancel", end);
    return group;
  }

  function line(trial) {
    const points = trial.at.map((place, k) => `${x(k).toFixed(1)} ${y(place ?? INACTIVE).toFixed(1)}`);
    const node = svg("path", { d: `M${points.join("L")}`, class: trial.id === data.trials[0].id ? "trial best" : "trial" });
    node.style.setProperty("--share", `${(100 * trial.share).toFixed(0)}%`);
    return node;
  }

  function draw() {
    const focused = plot.contains(document.activeElement) ? document.activeElement : null;
    const held = focused && [focused.closest("[data-axis]").dataset.axis, focused.dataset.end];
    const room = node.querySelector(".scroll").clientWidth;
    step = Math.max(SPACING, Math.min((room - LEFT - RIGHT) / (data.axes.length - 1), 260));
    const width = LEFT + RIGHT + step * (data.axes.length - 1);
    plot.setAttribute("width", width);
    plot.setAttribute("height", TOP + TALL + BOTTOM);
    lines = data.trials.map((trial) => ({ trial, path: line(trial) }));
    // The best on top.
    const drawn = svg("g", { "aria-hidden": "true" });
    drawn.append(...lines.map(({ path }) => path).reverse());
    plot.replaceChildren(drawn, ...data.axes.map(axisGroup));
    mark();
    if (held) plot.querySelector(`[data-axis="${held[0]}"] [data-end="${held[1]}"]`)?.focus();
  }

  function show(found) {
    waiting = dragging ? found : null;
    if (waiting) return;
    data = found;
    node.hidden = data.trials.length < 2 || data.axes.length < 2;
    if (!node.hidden) draw();
  }

  function highlight(id) {
    hover.textContent = "";
    for (const { trial, path } of lines) {
      path.classList.toggle("over", trial.id === id);
      if (trial.id === id) hover.textContent = trial.text;
    }
  }

  // The kept line that is nearest to the pointer.
  function nearest(event) {
    const box = plot.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const k = Math.min(Math.max(Math.floor((px - LEFT) / step), 0), data.axes.length - 2), share = (px - x(k)) / step;
    let found, least = NEAR;
    for (const { trial, path } of lines) {
      const [a, b] = [trial.at[k] ?? INACTIVE, trial.at[k + 1] ?? INACTIVE];
      if (path.classList.contains("off") || share < -0.1 || share > 1.1) continue;
      const distance = Math.abs(y(a + share * (b - a)) - py);
      if (distance < least) [found, least] = [trial.id, distance];
    }
    return found;
  }
  for (const kind of ["pointermove", "pointerdown"]) {
    plot.addEventListener(kind, (event) => {
      if (!dragging && lines.length) highlight(nearest(event));
    });
  }
  plot.addEventListener("pointerleave", () => highlight());
  reset.addEventListener("click", () => {
    ranges.clear();
    mark();
  });
  window.addEventListener("resize", () => {
    if (data && !node.hidden && !dragging) draw();
  });
  return { show, highlight };
}
