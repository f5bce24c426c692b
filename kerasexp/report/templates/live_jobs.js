// The page of a study or a search. While it runs, its tables and plots follow its files once a second.
const jobs = document.getElementById("jobs");
const COLORS = ["--accent", "--bad", "--good", "--violet", "--amber", "--faint"];
const shown = new Map();
let version = "", estimated = -1, parallel = null;

// Put new HTML into a part: the order of its tables, what was scrolled to and what has the focus stay.
function replacePart(name, html) {
  if (shown.get(name) === html) return;
  shown.set(name, html);
  const part = jobs.querySelector(`[data-part="${name}"]`);
  const now = new DOMParser().parseFromString(html, "text/html").body;
  const scrolled = [...part.querySelectorAll(".scroll")].map((node) => [node.scrollLeft, node.scrollTop]);
  const heads = [...part.querySelectorAll("th")];
  const focused = heads.findIndex((head) => head.contains(document.activeElement));
  const sorted = heads.map((head) => head.getAttribute("aria-sort"));
  replace(part, now);
  for (const table of part.querySelectorAll("table.sortable")) makeSortable(table);
  const buttons = [...part.querySelectorAll("th")].map((head) => head.querySelector("button"));
  sorted.forEach((order, k) => {
    if (order) buttons[k]?.click();
    if (order === "descending") buttons[k]?.click();
  });
  buttons[focused]?.focus();
  part.querySelectorAll(".scroll").forEach((node, k) => node.scrollTo(...(scrolled[k] ?? [0, 0])));
}

function drawBest(best) {
  const at = (value, k) => `${value.toFixed(4)} (trial ${best.trials[k]})`;
  drawPlot(document.getElementById("plot-best"), best.minutes.length ? [
    { label: "trial", color: "--faint", x: best.minutes, y: best.scores, points: "only", text: at },
    { label: "best so far", color: "--accent", x: best.minutes, y: best.best, stepped: true },
  ] : [], "minutes of search");
}

function drawVariants(curves) {
  drawPlot(document.getElementById("plot-variants"), curves.map((curve, k) => ({
    ...curve, color: COLORS[k % COLORS.length], dash: k < COLORS.length ? undefined : [6, 4], points: true,
  })), "epoch");
}

// The forest takes some time; it is not asked for with the rest.
async function estimate(scored) {
  if (scored === estimated) return;
  const found = await ask(jobs, jobs.dataset.importance);
  if (found === null) return;
  estimated = found.scored;
  replacePart("importance", found.html);
}

let scored = -1;
async function update() {
  const data = await ask(jobs, `${jobs.dataset.address}?seen=${encodeURIComponent(version)}`);
  if (data === null) return;
  // Its metrics, its report and its files are on the page now.
  if (data.status !== jobs.dataset.status) return location.reload();
  for (const [name, html] of Object.entries(data.parts)) replacePart(name, html);
  version = data.version;
  if (data.curves) drawVariants(data.curves);
  if (data.best) {
    drawBest(data.best);
    parallel ??= parallelCoordinates(document.getElementById("parallel"), (kept) => {
      for (const row of jobs.querySelectorAll("tr[data-trial]")) row.hidden = kept !== null && !kept.has(row.dataset.trial);
    });
    parallel.show(data.parallel);
    scored = data.scored;
  }
  if (scored >= 0) estimate(scored);
}
if (jobs) {
  followWhile(() => jobs.dataset.status === "running", update);
  jobs.addEventListener("pointerover", (event) => parallel?.highlight(event.target.closest("tr[data-trial]")?.dataset.trial));
}
