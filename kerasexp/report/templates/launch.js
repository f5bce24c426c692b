// The form of a new run. Its state is the text of the changes; the server says after each change what is wrong and what results.
const form = document.getElementById("launch");
const WAIT = 200;

function changes() {
  // One a line, `key=value`; a line that begins with a space continues the one before.
  const found = [];
  for (const line of form.elements.set.value.split("\n")) {
    if (/^[ \t]/.test(line) && found.length) found.at(-1)[1] += `\n${line}`;
    else if (line.trim() && !line.startsWith("#")) found.push([line.split("=", 1)[0].trim(), line.slice(line.indexOf("=") + 1)]);
  }
  return new Map(found);
}
const below = (key, section) => key.startsWith(`${section}.`);

// Several lines begin on the line after the key, so that they keep their own indentation.
const indented = (value) => (value.includes("\n") && !value.startsWith("\n") ? `\n${value}`.replaceAll("\n", "\n  ") : value);

function write(map) {
  form.elements.set.value = [...map].map(([key, value]) => `${key}=${indented(value)}`).join("\n");
  refresh();
}

// `null` as a value means: as in the file.
function set(key, value, andBelow = false) {
  const map = changes();
  for (const other of [...map.keys()]) {
    if ((andBelow && below(other, key)) || (below(key, other) && map.get(other).trim() === "null")) map.delete(other);
  }
  if (value === null) map.delete(key);
  else map.set(key, value);
  write(map);
}

const at = (key, selector = "") => document.querySelectorAll(`#keys [data-key="${CSS.escape(key)}"]${selector}`);
const control = (key) => document.getElementById(`key-${key}`);

let timer = 0, asked = 0, items = {}, kindOf = null;
function refresh(wait = WAIT) {
  clearTimeout(timer);
  mark();
  timer = setTimeout(ask, wait);
}

async function ask() {
  const number = ++asked, body = new URLSearchParams(new FormData(form));
  const sent = form.elements.set.value;
  body.set("shape", form.dataset.shape);
  let found = null;
  try {
    const answer = await fetch("/new/draft", { method: "POST", body });
    if (answer.ok) found = await answer.json();
  } catch {
    // The server does not answer.
  }
  // What has changed meanwhile is asked about next; this answer would undo it in the form.
  if (number === asked && form.elements.set.value === sent) show(found);
}

function show(answer) {
  const state = document.getElementById("state");
  if (answer === null) {
    state.textContent = "The server does not answer, or the experiment is gone.";
    return;
  }
  if (answer.form !== null) replaceForm(answer.form, answer.shape);
  items = answer.items;
  for (const button of document.querySelectorAll("#keys [data-items]")) button.disabled = !items[button.dataset.of]?.[button.dataset.items];
  if (dropOtherKinds()) return;
  mark();
  showProblems(answer.problems);
  const count = answer.problems.length;
  state.textContent = count ? `${count} ${count === 1 ? "error" : "errors"}` : `Ready: a ${answer.kind}`;
  document.getElementById("add").disabled = count > 0;
  document.getElementById("check").disabled = count > 0;
  form.classList.toggle("wrong", count > 0);
  showQuestions(answer.questions);
  for (const node of document.querySelectorAll("[data-kinds]")) node.hidden = !node.dataset.kinds.split(" ").includes(answer.kind);
  document.getElementById("command").textContent = answer.command;
  const yaml = document.getElementById("yaml"), note = document.getElementById("yaml-note");
  if (answer.yaml !== null) yaml.innerHTML = answer.yaml;
  yaml.classList.toggle("old", answer.yaml === null);
  note.textContent = answer.yaml !== null ? "Lines with + and - differ from the file." : "It is shown when nothing is wrong; this is as it was before.";
  const address = new URLSearchParams({ experiment: form.elements.experiment.value, set: form.elements.set.value });
  if (address.toString().length < 6000) history.replaceState(null, "", `/new?${address}`);
}

function replaceForm(html, shape) {
  const keys = document.getElementById("keys");
  const open = new Set([...keys.querySelectorAll("details[open]")].map((node) => node.dataset.key));
  const focused = keys.contains(document.activeElement) ? document.activeElement : null;
  const { id, dataset, selectionStart } = focused ?? {};
  keys.innerHTML = html;
  form.dataset.shape = shape;
  for (const node of keys.querySelectorAll("details")) node.open = open.has(node.dataset.key);
  if (focused) {
    const same = (id && document.getElementById(id)) || (dataset.of && control(dataset.of));
    same?.focus();
    if (typeof selectionStart === "number" && same?.setSelectionRange) same.setSelectionRange(selectionStart, selectionStart);
  }
  find();
}

// Keys that belonged to the kind before, such as the momentum of another optimizer, are no longer in the form.
function dropOtherKinds() {
  if (kindOf === null) return false;
  const map = changes(), section = kindOf;
  kindOf = null;
  const gone = [...map.keys()].filter((key) => below(key, section) && !at(key).length);
  for (const key of gone) map.delete(key);
  if (gone.length) write(map);
  return gone.length > 0;
}

function mark() {
  const map = changes();
  for (const node of document.querySelectorAll("#keys [data-key]")) {
    const key = node.dataset.key, isSection = node.localName === "details";
    node.classList.toggle("changed", map.has(key) || (isSection && [...map.keys()].some((other) => below(other, key))));
  }
  for (const button of document.querySelectorAll("#keys .reset")) {
    const key = button.dataset.of;
    button.hidden = !map.has(key) && !(button.parentElement.localName === "p" && [...map.keys()].some((other) => below(other, key)));
  }
}

function showProblems(problems) {
  for (const node of document.querySelectorAll("#keys .problem")) {
    node.hidden = true;
    node.textContent = "";
  }
  for (const node of document.querySelectorAll("#keys [aria-invalid]")) node.removeAttribute("aria-invalid");
  for (const node of document.querySelectorAll("#keys .invalid")) node.classList.remove("invalid");
  const list = document.getElementById("problems");
  list.replaceChildren();
  for (const { key, message } of problems) {
    let place = key;
    while (place && !at(place).length) place = place.includes(".") ? place.slice(0, place.lastIndexOf(".")) : "";
    const row = place ? [...at(place, " > .problem")].at(-1) : null;
    const target = place ? control(place) : null;
    if (row) {
      row.append(...(row.textContent ? [document.createElement("br")] : []), place === key ? message : `${key}: ${message}`);
      row.hidden = false;
      target?.setAttribute("aria-invalid", "true");
      for (let node = row.parentElement; node; node = node.parentElement.closest("details.section")) {
        if (node.localName === "details") node.classList.add("invalid");
        if (node.localName === "details" && !node.contains(document.activeElement)) node.open = true;
      }
    }
    const item = document.createElement("li"), name = document.createElement(row ? "a" : "b");
    name.textContent = key;
    if (row) {
      name.href = `#key-${place}`;
      name.addEventListener("click", (event) => {
        event.preventDefault();
        const shown = target ?? row.parentElement.querySelector("summary");
        for (let node = row.closest("details"); node; node = node.parentElement.closest("details")) node.open = true;
        shown?.focus();
      });
    }
    // The field has the message in full.
    const text = document.createElement("span");
    if (row) text.className = "clamped";
    text.append(...(key ? [name, ": "] : []), message);
    item.append(text);
    list.append(item);
  }
}

function showQuestions(questions) {
  const node = document.getElementById("questions");
  for (const old of node.querySelectorAll("p")) old.remove();
  for (const text of questions.toReversed()) {
    const line = document.createElement("p");
    line.className = "warn";
    line.textContent = text;
    node.prepend(line);
  }
  node.hidden = questions.length === 0;
}

// Of the keys, those that have all words; sections with one open.
let openBefore = null;
function find() {
  const words = document.getElementById("find").value.toLowerCase().replaceAll("_", " ").split(/\s+/).filter(Boolean);
  const sections = [...document.querySelectorAll("#keys details.section")];
  if (words.length && openBefore === null) openBefore = new Set(sections.filter((node) => node.open).map((node) => node.dataset.key));
  const rows = [...document.querySelectorAll("#keys .key[data-find]")];
  let count = 0;
  for (const row of rows) {
    const text = row.dataset.find.replaceAll("_", " ");
    row.hidden = !words.every((word) => text.includes(word));
    count += !row.hidden;
  }
  for (const section of sections.toReversed()) {
    const holds = section.querySelector(".key[data-find]:not([hidden])") !== null;
    section.hidden = words.length > 0 && !holds;
    if (words.length) section.open = holds;
    else if (openBefore !== null) section.open = openBefore.has(section.dataset.key);
  }
  if (!words.length) openBefore = null;
  document.getElementById("found").textContent = words.length ? `${count} ${count === 1 ? "key" : "keys"}` : "";
}

function start() {
  for (const node of document.querySelectorAll("#keys, .find")) node.hidden = false;
  document.getElementById("show").hidden = true;
  document.getElementById("as-text").open = false;
  const keys = document.getElementById("keys");
  const written = ({ target }) => {
    const { of: key, file } = target.dataset;
    if (key === undefined) return;
    const last = key.slice(key.lastIndexOf(".") + 1);
    if (["name", "kind", "source"].includes(last) && key.includes(".")) kindOf = key.slice(0, key.lastIndexOf("."));
    set(key, target.value === file ? null : target.value, target.localName === "select" && ["null", "{}"].includes(target.value));
  };
  keys.addEventListener("input", written);
  // Some programs that choose an option only send this.
  keys.addEventListener("change", (event) => { if (event.target.localName === "select") written(event); });
  keys.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.localName !== "input") return;
    event.preventDefault();
    refresh(0);
  });
  keys.addEventListener("click", ({ target }) => {
    const { of: key, file, domain } = target.dataset ?? {};
    if (key === undefined || target.localName !== "button") return;
    if (target.dataset.items !== undefined) set(key, items[key][target.dataset.items], true);
    else if (domain !== undefined) set(key, domain === control(key).dataset.file ? null : domain);
    else {
      if (control(key)) control(key).value = file;
      set(key, null, control(key) === null);
      control(key)?.focus();
    }
  });
  form.elements.set.addEventListener("input", () => {
    form.dataset.shape = "";
    refresh();
  });
  for (const name of ["jobs", "quick", "trust"]) form.elements[name].addEventListener("change", () => refresh(0));
  document.getElementById("find").addEventListener("input", find);
  document.getElementById("find").addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  // Enter saves only in the field of the name.
  document.getElementById("save-name").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    form.requestSubmit(form.querySelector('[formaction="/new/save"]'));
  });
  form.addEventListener("submit", ({ submitter }) => {
    if (submitter?.id === "check") document.getElementById("state").textContent = "Checking with the data …";
  });
  const copy = document.getElementById("copy");
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById("command").textContent);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  refresh(0);
}

if (form) start();
