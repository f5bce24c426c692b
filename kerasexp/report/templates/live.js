// The page of a run. While it trains, curves, position and gradients follow its files once a second.
const place = document.getElementById("live");
const LABELS = {
  train: "train, mean of the epoch", running: "train, epoch so far", val: "val", early: "val, between epochs",
};

function lines(data, metric) {
  const history = data.history, steps = history.step ?? history.epoch;
  const found = [];
  const add = (kind, color, x, y, more) => found.push({ label: LABELS[kind], color, x, y, ...more });
  if (history[metric]) add("train", "--accent", steps, history[metric], { points: true });
  const column = metric === "loss" ? 1 : 2;
  const points = data.points.filter((point) => point[column] !== null);
  if (points.length) add("running", "--accent", points.map((p) => p[0]), points.map((p) => p[column]), { dash: [4, 4] });
  if (history[`val_${metric}`]) add("val", "--good", steps, history[`val_${metric}`], { points: true });
  if (data.curve[`val_${metric}`]) add("early", "--faint", data.curve.step, data.curve[`val_${metric}`], { dash: [2, 3] });
  return found;
}

function describe(data) {
  const at = data.progress, line = document.getElementById("position"), bar = document.getElementById("share");
  line.hidden = bar.hidden = !at;
  if (!at) return;
  bar.value = at.share;
  const parts = [`${at.phase === "validating" ? "validating after " : ""}epoch ${at.epoch} of ${at.epochs}, step ${at.step.toLocaleString("en")} of ${at.steps.toLocaleString("en")}`];
  if (data.status === "running") {
    if (at.steps_per_second) parts.push(`${at.steps_per_second.toFixed(1)} steps a second`);
    if (at.images_per_second) parts.push(`${Math.round(at.images_per_second).toLocaleString("en")} images a second`);
    if (at.left) parts.push(`about ${at.left} left`);
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
  const data = await ask(place, place.dataset.address);
  if (data === null) return;
  // Its metrics, its report and its files are on the page now.
  if (data.status !== place.dataset.status) return location.reload();
  place.hidden = false;
  for (const metric of ["accuracy", "loss"]) {
    drawPlot(document.getElementById(`plot-${metric}`), lines(data, metric), data.history.step ? "step" : "epoch");
  }
  describe(data);
  gradients(data);
}
if (place) followWhile(() => place.dataset.status === "running", update);
