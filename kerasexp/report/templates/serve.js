// An image is drawn, chosen, dropped, pasted or taken; the server names it at once.
const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), context = canvas.getContext("2d"), drawing = new Drawing();
// Pixels of the canvas, milliseconds between two requests while a line is drawn, and classes shown.
const SIDE = 640, PAUSE = 250, SHOWN = 10;
let models = [], model = null, paper = null, chosen = null, stream = null;
let isDrawing = false, isWaiting = false, isStale = false, sent = 0;

const isGrey = () => model.channels === 1;
const pen = () => Number($("pen").value);

function useModel(name) {
  model = models.find((one) => one.name === name) ?? models[0];
  paper = paperOf(model);
  const ratio = paper.area.height / paper.area.width;
  canvas.width = ratio > 1 ? Math.round(SIDE / ratio) : SIDE;
  canvas.height = Math.round(canvas.width * ratio);
  const several = model.several_labels ? "several labels an image" : `${model.classes.length} classes`;
  $("about").textContent = `${several}, ${model.size.join("x")} pixels`;
  $("hint").textContent = isGrey() ? "Draw on the paper, as large as you like, or:" : "Choose a photograph, or draw:";
  $("black-label").hidden = !isGrey() || model.invert === "auto";
  $("black").checked = isGrey() && model.invert === false;
  paint();
  send();
}

async function paint() {
  context.fillStyle = $("black").checked ? "#000" : "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (chosen) {
    const image = await createImageBitmap(chosen).catch(() => null);
    if (!image) return;
    const scale = Math.min(canvas.width / image.width, canvas.height / image.height);
    const [width, height] = [image.width * scale, image.height * scale];
    context.drawImage(image, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  } else {
    const width = pen() * Math.min(canvas.width, canvas.height);
    drawing.paint(context, ([x, y]) => [x * canvas.width, y * canvas.width], width, $("black").checked ? "#fff" : "#000");
  }
}

function toFile(from) {
  return new Promise((resolve) => from.toBlob(resolve, "image/png"));
}

async function send() {
  if (!model) return;
  if (isWaiting) {
    isStale = true;
    return;
  }
  if (!chosen && drawing.isEmpty) return show(null);
  [isWaiting, isStale, sent] = [true, false, performance.now()];
  document.body.classList.add("busy");
  try {
    const image = chosen ?? (await toFile(drawing.render(paper, pen(), $("black").checked, isGrey())));
    const address = `/models/${encodeURIComponent(model.name)}/predict?top=${SHOWN}&explain=${model.explains}`;
    const answer = await fetch(address, { method: "POST", body: image, headers: { "Content-Type": "application/octet-stream" } });
    const content = answer.headers.get("content-type")?.startsWith("application/json") ? await answer.json() : null;
    if (!isStale) answer.ok ? show(content[0], performance.now() - sent) : fail(content?.detail ?? `the server answers ${answer.status}`);
  } catch {
    fail("the server does not answer");
  }
  isWaiting = false;
  document.body.classList.remove("busy");
  if (isStale) send();
}

function percent(value) {
  return `${(100 * value).toFixed(1)} %`;
}

function show(found, milliseconds) {
  const answer = $("answer");
  answer.classList.remove("warn");
  answer.replaceChildren();
  $("seen").hidden = !found?.heat_map;
  if (!found) {
    answer.textContent = "No image yet.";
    $("bars").replaceChildren();
    $("time").textContent = "";
    return;
  }
  const named = document.createElement("strong");
  named.textContent = found.labels ? found.labels.map((label) => label.class).join(", ") || "no label" : found.class;
  answer.append(named);
  if (found.is_unknown) answer.append(` most like ${found.top[0].class}, ${percent(found.probability)}`);
  else if (!found.labels) answer.append(` ${percent(found.probability)}`);
  $("bars").replaceChildren(...found.top.map((one) => {
    const [row, name, bar, share] = ["li", "span", "meter", "span"].map((kind) => document.createElement(kind));
    name.textContent = one.class;
    bar.value = one.probability;
    bar.ariaLabel = `probability of ${one.class}`;
    share.className = "n";
    share.textContent = percent(one.probability);
    row.append(name, bar, share);
    return row;
  }));
  if (found.heat_map) {
    $("input").src = found.input;
    $("heat").src = found.heat_map;
    $("heat-caption").textContent = `Red: what speaks for ${found.top[0].class} (Grad-CAM)`;
  }
  $("time").textContent = `${Math.round(milliseconds)} ms`;
}

function fail(words) {
  show(null);
  $("answer").textContent = words;
  $("answer").classList.add("warn");
}

function choose(file) {
  if (!file) return;
  stopCamera();
  drawing.clear();
  chosen = file;
  paint();
  send();
}

// Lines
function point(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.width];
}
canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !model) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  chosen = null;
  isDrawing = true;
  drawing.begin(...point(event));
  paint();
});
canvas.addEventListener("pointermove", (event) => {
  if (!isDrawing) return;
  const events = event.getCoalescedEvents?.() ?? [];
  for (const one of events.length ? events : [event]) drawing.extend(...point(one));
  paint();
  if (!isWaiting && performance.now() - sent > PAUSE) send();
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, () => {
    if (isDrawing) send();
    isDrawing = false;
  });
}
function clear() {
  stopCamera();
  drawing.clear();
  chosen = null;
  paint();
  send();
}
function undo() {
  if (chosen) return clear();
  drawing.undo();
  paint();
  send();
}
$("clear").addEventListener("click", clear);
$("undo").addEventListener("click", undo);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
});
for (const id of ["pen", "black"]) {
  $(id).addEventListener("change", () => {
    paint();
    send();
  });
}

// Files
for (const id of ["file", "photo"]) {
  $(id).addEventListener("change", (event) => {
    choose(event.target.files[0]);
    event.target.value = "";
  });
}
document.addEventListener("paste", (event) => choose(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("paper").classList.add("over");
});
for (const name of ["dragleave", "drop", "dragend"]) {
  document.addEventListener(name, () => $("paper").classList.remove("over"));
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  choose(event.dataTransfer.files[0]);
});

// The camera, which a browser gives only to a page of this machine or of an encrypted connection; a phone's own app will do.
$("camera").addEventListener("click", async () => {
  if (!navigator.mediaDevices) return $("photo").click();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    return fail(error.name === "NotAllowedError" ? "the camera is not allowed to this page" : "there is no camera");
  }
  $("video").srcObject = stream;
  setCamera(true);
  await $("video").play();
});
function setCamera(isOn) {
  $("video").hidden = $("camera-actions").hidden = !isOn;
  $("drawing-actions").hidden = $("camera").hidden = isOn;
  (isOn ? $("take") : $("camera")).focus();
}
function stopCamera() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = null;
  setCamera(false);
}
$("stop").addEventListener("click", stopCamera);
$("take").addEventListener("click", async () => {
  // What is shown: the middle of the frame, in the shape of the paper.
  const video = $("video"), taken = document.createElement("canvas"), ratio = canvas.height / canvas.width;
  if (!video.videoWidth) return;
  taken.width = Math.min(video.videoWidth, Math.round(video.videoHeight / ratio));
  taken.height = Math.round(taken.width * ratio);
  const from = [(video.videoWidth - taken.width) / 2, (video.videoHeight - taken.height) / 2];
  taken.getContext("2d").drawImage(video, ...from, taken.width, taken.height, 0, 0, taken.width, taken.height);
  choose(await toFile(taken));
});

$("model")?.addEventListener("change", (event) => useModel(event.target.value));
fetch("/models").then((answer) => answer.json()).then((found) => {
  models = found;
  useModel($("model")?.value);
}).catch(() => fail("the server does not answer"));
