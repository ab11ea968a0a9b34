// Sorts the tables by their headings and filters their rows. Adds text only as text, never as markup.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

  // Times: UTC is on the page, the viewer's own is added.
  for (const time of all("header time")) {
    const local = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
    time.append(Object.assign(document.createElement("span"), { textContent: `${local} your time` }));
  }

  const sortValue = (row, column) => row.cells[column].dataset.v ?? row.cells[column].textContent;

  function sort(table, column, heading) {
    const falls = heading.ariaSort === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.ariaSort = falls ? "descending" : "ascending";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(sortValue(a, column), sortValue(b, column)) * (falls ? -1 : 1));
    table.tBodies[0].append(...rows);
  }

  const sorters = [];
  for (const table of all("table.sorted")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, column, heading));
      heading.append(button);
      sorters.push([heading, button]);
    });
  }
  // Browsers repeat a table's head on each page of a print only where it has no buttons.
  addEventListener("beforeprint", () => {
    for (const [heading, button] of sorters) heading.replaceChildren(button.textContent);
  });
  addEventListener("afterprint", () => {
    for (const [heading, button] of sorters) heading.replaceChildren(button);
  });

  // Every word of the filter must be in a row.
  const query = document.querySelector("#query");
  const shown = document.querySelector("#shown");
  const rows = all("table.sorted > tbody > tr");
  const texts = new Map();

  function textOf(row) {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  }

  query.addEventListener("input", () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => textOf(row).includes(word));
    shown.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
  });
  document.querySelector(".toolbar").hidden = false;
})();
