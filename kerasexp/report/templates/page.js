// Tables sort by a click on a heading: numbers by value, dashes last, equal rows in their previous order.
function makeSortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const numeric = head.classList.contains("n");
    const key = (row) => {
      const text = row.cells[column].textContent.trim();
      return { text, number: numeric ? parseFloat(text.replaceAll(",", "").replace("\u2212", "-")) : NaN };
    };
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        // A column of numbers may be one of words, as the values of a search are.
        if (numeric && (a.text === "–" || b.text === "–")) return (a.text === "–") - (b.text === "–");
        if (Number.isNaN(a.number) !== Number.isNaN(b.number)) return Number.isNaN(a.number) - Number.isNaN(b.number);
        if (Number.isNaN(a.number)) return sign * a.text.localeCompare(b.text, undefined, { numeric: true });
        return sign * (a.number - b.number);
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
// Print what is folded on the screen.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
