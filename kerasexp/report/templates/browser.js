// Buttons wait for enough ticked rows; one box ticks all. Without this script everything works as well.
const updates = [];
for (const form of document.querySelectorAll("form.runs")) {
  const boxes = () => [...form.querySelectorAll("tbody input[type=checkbox]")];
  const all = form.querySelector("thead input[type=checkbox]");
  const shown = form.querySelector("[aria-live]");
  const update = () => {
    const count = boxes().filter((box) => box.checked).length;
    for (const button of form.querySelectorAll("button[data-needs]")) {
      button.disabled = count < Number(button.dataset.needs) || count > Number(button.dataset.most ?? Infinity)
        || Boolean(button.dataset.text && !form.elements[button.dataset.text].value.trim());
    }
    shown.textContent = count ? `${count} ticked:` : "Tick rows to:";
    all.checked = count > 0 && count === boxes().length;
    all.indeterminate = count > 0 && !all.checked;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    update();
  });
  form.addEventListener("change", update);
  form.addEventListener("input", update);
  // A comparison reads images again, which takes some seconds.
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.formAction || event.submitter.formAction.endsWith("/compare")) shown.textContent = "Comparing …";
  });
  window.addEventListener("pageshow", update);
  updates.push(update);
}

// While something runs, the parts that change follow; what is ticked, focused or written by the user stays.
const parts = () => document.querySelectorAll("[data-live]");
async function follow() {
  const began = performance.now();
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const now = page.querySelector(`[data-live="${part.dataset.live}"]`);
        if (now && now.innerHTML !== part.innerHTML) replace(part, now);
        // A list that was empty has no table yet that could follow, and the rows of one that is empty now are gone.
        if (!now && ["empty", "rows"].includes(part.dataset.live)) {
          part.replaceChildren();
          if (!document.activeElement.matches("input, textarea")) location.reload();
        }
      }
      for (const update of updates) update();
    }
  } catch {
    // The server does not answer; it is asked again later.
  }
  // A list of thousands of runs is asked for less often, so that it takes nothing from a training.
  later(40 * (performance.now() - began));
}
function replace(part, now) {
  const ticked = new Set([...part.querySelectorAll("input:checked")].map((box) => box.value));
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const held = (name) => `[${name}="${CSS.escape(focused.getAttribute(name) ?? "")}"]`;
  const same = focused && focused.localName + (focused.localName === "a" ? held("href") : held("value") + (focused.formAction && focused.localName === "button" ? held("formaction") : ""));
  part.replaceChildren(...now.childNodes);
  for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked = ticked.has(box.value);
  if (same) part.querySelector(same)?.focus();
}
function later(least) {
  // A job that waits may begin at any moment.
  const wait = Math.max(document.querySelector("main .status:is(.running, .waiting)") ? 2000 : 10000, least);
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", follow, { once: true }) : follow()), wait);
}
if (parts().length) later(0);
