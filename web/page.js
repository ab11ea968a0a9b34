// Sorts, filters, opens details and explains the timeline. Adds text only as text, never as markup.
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const NOTHING = "–";

  const data = JSON.parse(one("#data").textContent);
  const table = one("#hosts");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const bars = new Map(all(".bar").map((bar) => [Number(bar.dataset.i), bar]));
  const opened = new Map();

  // The table holds the first rows that fit, in order; more come as they are scrolled to. So it is fast for any fleet.
  const PAGE = 200;
  const order = rows.map((_row, i) => i);
  const fits = rows.map(() => true);
  let limit = PAGE;

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // Times: UTC is on the page, the viewer's own is added.
  const iso = (seconds) => new Date(seconds * 1000).toISOString();
  const [firstDay, lastDay] = data.windows.clock.map((seconds) => iso(seconds).slice(0, 10));
  const clock = (seconds) =>
    iso(seconds)
      .slice(firstDay === lastDay ? 11 : 5, 19)
      .replace("T", " ");
  const localClock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
  for (const time of all("time")) {
    const local = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
    time.append(element("span", {}, `${local} your time`));
  }

  // Filter: every word of the query must be found in the row or in its details; outcomes are alternatives, and so are
  // accounts and regions.
  const query = one("#query");
  const tiles = all(".tile");
  const locations = all(".where");
  const chosen = { o: new Set(), a: new Set(), r: new Set() };
  const texts = [];

  function textOf(row, i) {
    texts[i] ??= [...row.cells]
      .map((cell) => cell.textContent)
      .concat(data.hosts[i].facts)
      .join("\n")
      .toLowerCase();
    return texts[i];
  }

  const valuesOf = (location) => (location.dataset.a === undefined ? chosen.r : chosen.a);

  function turn(values, value) {
    if (!values.delete(value)) values.add(value);
  }

  function filter() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, i) => {
      const isChosen = Object.entries(chosen).every(([kind, values]) => !values.size || values.has(row.dataset[kind]));
      fits[i] = isChosen && words.every((word) => textOf(row, i).includes(word));
    });
    for (const [i, bar] of bars) bar.hidden = !fits[i];
    for (const tile of tiles) {
      tile.ariaPressed = tile.dataset.o ? chosen.o.has(tile.dataset.o) : !chosen.o.size;
    }
    for (const location of locations) location.ariaPressed = valuesOf(location).has(location.textContent);
    const shown = fits.filter(Boolean).length;
    const names = Object.values(chosen).flatMap((values) => [...values]);
    const output = one("#shown");
    output.textContent = [
      shown === rows.length ? `${shown} ${shown === 1 ? "host" : "hosts"}` : `${shown} of ${rows.length} hosts`,
      ...(names.length ? [names.join(", ")] : []),
    ].join(" · ");
    one("#clear").hidden = !names.length && !words.length;
    one("#none").hidden = shown > 0;
    limit = PAGE;
    render();
  }

  // What the filter shows is said once the viewer uses it, not each time that the page is loaded.
  function filterByViewer() {
    one("#shown").ariaLive = "polite";
    filter();
  }

  for (const tile of tiles) {
    tile.disabled = tile.classList.contains("zero");
    tile.onclick = () => {
      if (tile.dataset.o) turn(chosen.o, tile.dataset.o);
      else chosen.o.clear();
      filterByViewer();
    };
  }
  for (const location of locations) {
    location.disabled = false;
    location.onclick = () => {
      turn(valuesOf(location), location.textContent);
      filterByViewer();
    };
  }
  query.oninput = filterByViewer;
  one("#clear").onclick = () => {
    query.value = "";
    for (const values of Object.values(chosen)) values.clear();
    filterByViewer();
    query.focus();
  };
  one(".toolbar").hidden = false;

  // Sort: numbers by value, texts as people count (dev-2 before dev-10), what is not known always last.
  const { compare } = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  function keyOf(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.s) return Number(cell.dataset.s);
    const text = (one("b", cell) ?? cell).textContent;
    return text === NOTHING ? null : text;
  }

  function sort(head, ascending = head.ariaSort !== "ascending") {
    const keys = rows.map((row) => keyOf(row, head.cellIndex));
    order.sort((i, j) => {
      const [a, b] = [keys[i], keys[j]];
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      const difference = typeof a === "number" ? a - b : compare(a, b);
      return (ascending ? difference : -difference) || i - j;
    });
    for (const other of table.tHead.rows[0].cells) other.ariaSort = null;
    head.ariaSort = ascending ? "ascending" : "descending";
    limit = PAGE;
    render();
  }

  const sorters = [...table.tHead.rows[0].cells].map((head) => {
    const button = element("button", { onclick: () => sort(head) }, head.textContent);
    head.replaceChildren(button);
    return [head, button];
  });

  // Details: a row under the host's row, made when it is opened. The style sheet hides columns in narrower windows.
  const span = () => [...table.tHead.rows[0].cells].filter((cell) => cell.offsetWidth).length;
  const widths = [640, 1199, 1649].map((width) => matchMedia(`(max-width: ${width}px)`));
  for (const width of widths)
    width.onchange = () =>
      opened.forEach((row) => {
        row.cells[0].colSpan = span();
      });
  const RESULTS = { true: "ok", false: "failed" };

  function stepTable(steps, host) {
    const head = ["Step", "Started, UTC", "Ended, UTC", "Took", "Result"].map((name, n) =>
      element("th", { scope: "col", className: n === 2 ? "ended" : "" }, name),
    );
    const lines = steps.map(([name, start, end, took, ok]) => {
      const result = end === null && start !== null ? "not seen to end" : (RESULTS[ok] ?? NOTHING);
      const times = [start, end].map((moment, n) =>
        element(
          "td",
          { className: n ? "ended" : "", title: moment === null ? "" : `${localClock(moment)} your time` },
          moment === null ? NOTHING : clock(moment),
        ),
      );
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, name),
        ...times,
        element("td", {}, took),
        element("td", {}, result),
      );
    });
    return element(
      "table",
      { ariaLabel: `Steps of ${host}` },
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...lines),
    );
  }

  const nameOf = (i) => one("b", rows[i].cells[0]).textContent;

  function detailsOf(i) {
    const heads = [...table.tHead.rows[0].cells];
    const facts = [];
    const add = (label, value, className = "") => {
      facts.push(element("dt", { className }, label), element("dd", { className }, value ?? NOTHING));
    };
    // The columns that a narrower window hides; account and region are among the facts.
    for (const head of heads) {
      if (!head.dataset.below) continue;
      const cell = rows[i].cells[head.cellIndex];
      // biome-ignore lint/performance/useDomNodeTextContent: the text as shown, with its line breaks
      add(head.textContent, cell.innerText || cell.textContent, `below-${head.dataset.below}`);
    }
    data.labels.forEach((label, n) => {
      if (data.hosts[i].facts[n] !== "") add(label, data.hosts[i].facts[n]);
    });
    const parts = [element("dl", {}, ...facts)];
    if (data.hosts[i].steps.length) parts.push(stepTable(data.hosts[i].steps, nameOf(i)));
    return element(
      "tr",
      { className: "details", id: `d${i}` },
      element("td", { colSpan: span() }, element("div", {}, ...parts)),
    );
  }

  function toggle(i, open = !opened.has(i)) {
    if (open === opened.has(i)) return;
    if (open) {
      opened.set(i, detailsOf(i));
      rows[i].after(opened.get(i));
    } else {
      opened.get(i).remove();
      opened.delete(i);
    }
    one(".open-details", rows[i]).ariaExpanded = open;
  }

  function withButton(i) {
    const cell = rows[i].cells[0];
    if (!one(".open-details", cell)) {
      const button = element("button", { className: "open-details", ariaExpanded: false, onclick: () => toggle(i) });
      button.ariaLabel = `Details of ${nameOf(i)}`;
      cell.prepend(button);
    }
    return rows[i];
  }

  const more = one("#more");
  function render() {
    const fitting = order.filter((i) => fits[i]);
    const shown = fitting.slice(0, limit);
    body.replaceChildren(...shown.flatMap((i) => (opened.has(i) ? [withButton(i), opened.get(i)] : [withButton(i)])));
    more.hidden = fitting.length === shown.length;
    more.textContent = `Show more of the other ${fitting.length - shown.length} hosts`;
  }
  more.onclick = () => {
    limit += PAGE;
    render();
  };
  new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting) more.click();
  }).observe(more);
  // Browsers repeat a table's head on each page of a print only where it has no buttons.
  addEventListener("beforeprint", () => {
    limit = rows.length;
    render();
    for (const [head, button] of sorters) head.replaceChildren(button.textContent);
  });
  addEventListener("afterprint", () => {
    for (const [head, button] of sorters) head.replaceChildren(button);
  });

  // A link to a host opens it, also when a filter hid it.
  function show(i) {
    if (!fits[i]) one("#clear").click();
    limit = Math.max(limit, order.indexOf(i) + 1);
    render();
    toggle(i, true);
    one(".open-details", rows[i]).focus({ preventScroll: true });
    rows[i].scrollIntoView({ block: "center" });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#h"]');
    if (!link) return;
    event.preventDefault();
    show(Number(link.hash.slice(2)));
  });

  // Timeline: what a segment is, by pointer and by keyboard.
  const chart = one(".chart");
  const tip = one("#tip");

  function describe(segment) {
    const bar = segment.closest(".bar");
    const i = Number(bar.dataset.i);
    const [name, start, end, took, ok] = data.hosts[i].steps[[...segment.parentNode.children].indexOf(segment)];
    const length = end === null ? "not seen to end" : took;
    return {
      host: one("a", bar).textContent,
      what: `${name} · ${length}${ok === false ? " · failed" : ""}`,
      when: `${clock(start)} – ${end === null ? "?" : clock(end)} UTC`,
      local: `${localClock(start)} – ${end === null ? "?" : localClock(end)} your time`,
    };
  }

  function explain(segment) {
    const { host, what, when, local } = describe(segment);
    tip.replaceChildren(
      element("span", {}, host),
      element("b", {}, what),
      element("span", {}, when),
      element("span", {}, local),
    );
    tip.hidden = false;
    const at = segment.getBoundingClientRect();
    const left = Math.min(Math.max(at.left + at.width / 2 - tip.offsetWidth / 2, 8), innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 8;
    Object.assign(tip.style, { left: `${left}px`, top: `${above > 0 ? above : at.bottom + 8}px` });
  }

  let stop = null;
  function makeStop(segment) {
    if (stop) stop.removeAttribute("tabindex");
    stop = segment;
    const { host, what, when } = describe(segment);
    segment.setAttribute("tabindex", "0");
    segment.setAttribute("role", "img");
    segment.setAttribute("aria-label", `${host}: ${what}, ${when}`);
  }

  function neighbour(segment, key) {
    if (key === "ArrowRight") return segment.nextElementSibling;
    if (key === "ArrowLeft") return segment.previousElementSibling;
    const visible = [...bars.values()].filter((bar) => !bar.hidden);
    const place = visible.indexOf(segment.closest(".bar")) + (key === "ArrowDown" ? 1 : -1);
    return visible[place] && one(".track", visible[place]).firstElementChild;
  }

  const segmentAt = (target) => target.closest(".track > *");

  function scale(name) {
    const [start, end] = data.windows[name];
    for (const part of all("[data-axis]")) part.toggleAttribute("hidden", part.dataset.axis !== name);
    for (const button of all(".scales button")) button.ariaPressed = button.dataset.scale === name;
    for (const [i, bar] of bars) {
      const steps = data.hosts[i].steps;
      const zero = name === "own" ? steps[0][1] : start;
      [...one(".track", bar).children].forEach((segment, n) => {
        const from = steps[n][1] - zero;
        const length = (steps[n][2] ?? data.windows.clock[1]) - steps[n][1];
        segment.setAttribute("x", `${(100 * from) / (end - start)}%`);
        segment.setAttribute("width", `${Math.max((100 * length) / (end - start), 0.15)}%`);
      });
    }
    fitWords();
  }

  // Words in segments only where they fit; bars of many hosts have none.
  function fitWords() {
    if (chart.classList.contains("compact")) return;
    const segments = all(".track > svg");
    const fits = segments.map(
      (segment) => segment.getBoundingClientRect().width > 6.5 * segment.textContent.length + 4,
    );
    segments.forEach((segment, n) => {
      segment.classList.toggle("tight", !fits[n]);
    });
  }

  if (chart) {
    chart.addEventListener("pointerover", (event) => {
      const segment = segmentAt(event.target);
      if (segment) explain(segment);
      else tip.hidden = true;
    });
    chart.addEventListener("pointerleave", () => {
      tip.hidden = true;
    });
    chart.addEventListener("scroll", () => {
      tip.hidden = true;
    });
    chart.addEventListener("focusin", (event) => {
      if (segmentAt(event.target)) explain(segmentAt(event.target));
    });
    chart.addEventListener("focusout", () => {
      tip.hidden = true;
    });
    chart.addEventListener("keydown", (event) => {
      const segment = segmentAt(event.target);
      if (!segment) return;
      if (event.key === "Escape") tip.hidden = true;
      if (event.key === "Enter") show(Number(segment.closest(".bar").dataset.i));
      if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
      const next = neighbour(segment, event.key);
      if (!next) return;
      makeStop(next);
      next.focus();
    });
    makeStop(one(".track > *"));
    one(".scales").hidden = false;
    for (const button of all(".scales button")) button.onclick = () => scale(button.dataset.scale);
    addEventListener("resize", fitWords);
    fitWords();
  }
  filter();

  // The page of a run at work loads itself again, unless the viewer stops that. What the viewer chose, opened and focused
  // survives. Hosts are known by name and instance: their rows move as they end.
  const live = one(".live");
  const keyOfRow = (i) => rows[i].cells[0].textContent;
  const heads = [...table.tHead.rows[0].cells];

  const signOf = ({ classList, dataset, attributes, textContent }) =>
    [classList[0], dataset.o ?? dataset.scale ?? attributes["aria-labelledby"]?.value ?? textContent].join(" ");
  const alike = (sign) => all("button, a, [tabindex]").filter((part) => signOf(part) === sign);

  function focused() {
    const focus = document.activeElement;
    if (focus.id) return { id: focus.id };
    if (focus.closest(".bar")) return { bar: keyOfRow(focus.closest(".bar").dataset.i), x: focus.classList[0] };
    if (focus.matches(".open-details")) return { row: keyOfRow(focus.closest("tr").id.slice(1)) };
    return { sign: signOf(focus), n: alike(signOf(focus)).indexOf(focus) };
  }

  function focusAgain({ id, bar, x, row, sign, n }, byKey) {
    let found = null;
    if (id) found = document.getElementById(id);
    else if (bar !== undefined) {
      const track = bars.get(byKey.get(bar));
      found = track && (one(`.track > .${x}`, track) ?? one(".track > *", track));
      if (found) makeStop(found);
    } else if (row !== undefined) found = byKey.has(row) && one(".open-details", rows[byKey.get(row)]);
    else found = alike(sign)[n];
    if (found) found.focus({ preventScroll: true });
  }

  function save() {
    const sorted = heads.find((head) => head.ariaSort);
    const state = {
      query: query.value,
      chosen: Object.entries(chosen).map(([kind, values]) => [kind, [...values]]),
      sorted: sorted && [sorted.cellIndex, sorted.ariaSort === "ascending"],
      opened: [...opened.keys()].map(keyOfRow),
      own: Boolean(one(".scales [data-scale=own][aria-pressed=true]")),
      limit,
      focus: document.activeElement === document.body ? null : focused(),
      caret: [query.selectionStart, query.selectionEnd],
      scrolled: [".scroll", ".chart"].map((selector) => one(selector)?.scrollTop ?? 0),
      top: scrollY,
    };
    history.replaceState({ patchfleet: state }, "");
  }

  function restore(state) {
    const byKey = new Map(rows.map((_row, i) => [keyOfRow(i), i]));
    query.value = state.query;
    for (const [kind, values] of state.chosen) for (const value of values) chosen[kind].add(value);
    if (state.sorted) sort(heads[state.sorted[0]], state.sorted[1]);
    filter();
    limit = state.limit;
    render();
    for (const key of state.opened) if (byKey.has(key)) toggle(byKey.get(key), true);
    if (state.own && chart) scale("own");
    if (state.focus) focusAgain(state.focus, byKey);
    if (document.activeElement === query) query.setSelectionRange(...state.caret);
    [".scroll", ".chart"].forEach((selector, n) => {
      if (one(selector)) one(selector).scrollTop = state.scrolled[n];
    });
    scrollTo(0, state.top);
  }

  document.documentElement.classList.add("ready"); // before it no row can have the focus
  if (history.state?.patchfleet) restore(history.state.patchfleet);
  if (live) {
    history.scrollRestoration = "manual";
    const pause = one("#pause");
    let timer = 0;
    const start = () => {
      timer = setTimeout(() => {
        save();
        location.reload();
      }, 1000 * live.dataset.seconds);
    };
    pause.hidden = false;
    pause.onclick = () => {
      pause.ariaPressed = pause.ariaPressed !== "true";
      if (pause.ariaPressed === "true") clearTimeout(timer);
      else start();
    };
    start();
  } else if (history.state?.patchfleet) {
    history.replaceState(null, "");
  }
})();
