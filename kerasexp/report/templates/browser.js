// Buttons wait for enough ticked rows; one box ticks all. Without this script everything works as well.
for (const form of document.querySelectorAll("form.runs")) {
  const boxes = [...form.querySelectorAll("tbody input[type=checkbox]")];
  const all = form.querySelector("thead input[type=checkbox]");
  const shown = form.querySelector("[aria-live]");
  const update = () => {
    const count = boxes.filter((box) => box.checked).length;
    for (const button of form.querySelectorAll("button[data-needs]")) {
      button.disabled = count < Number(button.dataset.needs) || count > Number(button.dataset.most ?? Infinity)
        || Boolean(button.dataset.text && !form.elements[button.dataset.text].value.trim());
    }
    shown.textContent = count ? `${count} ticked:` : "Tick rows to:";
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    update();
  });
  form.addEventListener("change", update);
  form.addEventListener("input", update);
  // A comparison reads images again, which takes some seconds.
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.formAction || event.submitter.formAction.endsWith("/compare")) shown.textContent = "Comparing …";
  });
  window.addEventListener("pageshow", update);
}
