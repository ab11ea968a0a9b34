# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report page's JavaScript and CSS. Generated from web/ by `make generate`; do not edit."""

from __future__ import annotations

EARLY_SCRIPT = r"""
// Runs before the first row is read. Without it the browser lays the whole table out, which takes long for large fleets.
document.documentElement.classList.add("js");
addEventListener("error", () => document.documentElement.classList.remove("js"));
"""

SCRIPT = r"""
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
"""

STYLE = r"""
/* The height of a phase in the timeline says what kind it is: low ones decide, middle ones wait for power, full ones work. */
:root {
  color-scheme: light dark; --u: 1px;
  --page: #f5f6f8; --card: #fff; --raised: #f0f2f5; --line: #e1e5ea; --strong-line: #c6cdd6;
  --ink: #1b2430; --soft: #586374; --accent: #2459c4; --focus: #2459c4;
  --patched: #17784a; --compliant: #0b7285; --noncompliant: #8f5b00; --failed: #c0272d; --held: #8b35b0;
  --deferred: #47607f; --excluded: #646c78;
  --plan: #aab3bf; --admit: #8a95a3; --start: #3b82d6; --ready: #9cc3f2; --disk: #e0a030; --repair: #c46a2c;
  --patch: #6a4fd0; --verify: #2a9d83; --restore: #66758a; --on-step: #fff; --on-light: #1b2430;
  --shadow: 0 1px 2px rgb(20 30 45 / 6%), 0 1px 8px rgb(20 30 45 / 4%);
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0e131a; --card: #161d27; --raised: #1e2733; --line: #27313e; --strong-line: #3b4857;
    --ink: #e4e9f0; --soft: #9aa7b7; --accent: #8db4ff; --focus: #8db4ff;
    --patched: #5fcf95; --compliant: #58c3d6; --noncompliant: #e5b04a; --failed: #ff7b7b; --held: #d497f2;
    --deferred: #9db6d6; --excluded: #9aa4b2;
    --plan: #57626f; --admit: #748090; --start: #3f87dc; --ready: #8bb6ea; --disk: #dca23a; --repair: #cf7a3e;
    --patch: #8069e0; --verify: #33a98e; --restore: #76859a; --shadow: none;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { scroll-padding-top: 6rem; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif; }
main { max-width: 1720px; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1, h2, p, ul, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; line-height: 1.4; }
ul { list-style: none; }
a { color: var(--accent); text-underline-offset: .15em; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
[hidden] { display: none !important; }
.symbols { position: absolute; }
.note { color: var(--soft); font-size: .875rem; margin-top: .6rem; }
.i { width: 1em; height: 1em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round;
  stroke-linejoin: round; vertical-align: -.125em; }
.o-patched { color: var(--patched); } .o-compliant { color: var(--compliant); }
.o-noncompliant { color: var(--noncompliant); } .o-failed { color: var(--failed); } .o-held { color: var(--held); }
.o-deferred { color: var(--deferred); } .o-excluded { color: var(--excluded); } .o-at-work { color: var(--accent); }
.o-waiting { color: var(--soft); }

.kicker { color: var(--soft); font-size: .8125rem; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; }
.lead { font-size: 1.125rem; margin-top: .35rem; max-width: 60em; }
.facts { display: flex; flex-wrap: wrap; gap: .75rem 2.25rem; margin-top: 1.1rem; }
.facts dt { color: var(--soft); font-size: .8125rem; }
.facts dd { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
time span { color: var(--soft); display: block; font-size: .8125rem; }

.tiles { display: grid; grid-template-columns: repeat(8, 1fr); gap: .6rem; margin-top: 1.75rem; }
.tiles.at-work { grid-template-columns: repeat(5, 1fr); }
.tile { display: grid; grid-template: "n n" "i s" / auto 1fr; align-items: center; column-gap: .4rem; text-align: left;
  padding: .7rem .9rem; background: var(--card); color: inherit; border: 1px solid var(--line); border-radius: 10px;
  box-shadow: var(--shadow); }
.tile b { grid-area: n; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; font-weight: 650; }
.tile span { color: var(--soft); font-size: .875rem; }
.tile b + span { grid-column: 1 / -1; }
.tile:disabled { cursor: default; }
.tile.zero b { color: var(--soft); font-weight: 400; }
.tile.zero { background: none; box-shadow: none; }
.tile:enabled:hover { border-color: var(--strong-line); background: var(--raised); }
.tile[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }

.live { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem 1.5rem;
  margin: .75rem 0; padding: .6rem .9rem; background: var(--card); border: 1px solid var(--line);
  border-left: 4px solid var(--accent); border-radius: 8px; }
.live time span { display: inline; font-size: inherit; }
.live time span::before { content: " ("; }
.live time span::after { content: ")"; }
.person, .timeline, .hosts, .sums { margin-top: 1.5rem; }
.person { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--failed);
  border-radius: 10px; padding: 1rem 1.25rem; box-shadow: var(--shadow); }
.person li { display: flex; gap: .6rem; margin-top: .6rem; }
.person .i { margin-top: .25rem; }
.person a { font-weight: 600; overflow-wrap: anywhere; }
.person .what { color: var(--soft); }

.sums > div { margin-top: .6rem; overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  box-shadow: var(--shadow); }
.sums table { width: 100%; }
.sums thead th { border-top: 0; border-bottom: 1px solid var(--strong-line); color: var(--soft); font-size: .75rem;
  white-space: nowrap; vertical-align: bottom; }
.sums thead .i { margin-right: .3em; }
.sums :is(th, td) { padding: .4rem .75rem; overflow-wrap: normal; white-space: nowrap; vertical-align: middle; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.updates .codes { white-space: normal; }
.sums tfoot > tr > * { border-top: 1px solid var(--strong-line); font-weight: 600; }
.where { margin-left: -.5rem; padding: .1rem .5rem; background: none; border: 1px solid transparent; border-radius: 8px;
  font-variant-numeric: tabular-nums; color: var(--accent); }
.where:disabled { color: inherit; cursor: default; }
.where:enabled:hover { border-color: var(--strong-line); background: var(--raised); }
.where[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }

.toolbar { position: sticky; top: 0; z-index: 6; display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .9rem;
  margin: 1.25rem -1.5rem 0; padding: .6rem 1.5rem; background: var(--page); border-bottom: 1px solid var(--line); }
.toolbar label { font-weight: 600; }
.toolbar input { flex: 0 1 24rem; min-width: 0; padding: .4rem .7rem; background: var(--card);
  border: 1px solid var(--strong-line); border-radius: 8px; }
.toolbar ::placeholder { color: var(--soft); opacity: 1; }
.toolbar output { color: var(--soft); font-variant-numeric: tabular-nums; }
:is(.toolbar, .scales, .live) button { padding: .3rem .75rem; background: var(--card); border: 1px solid var(--strong-line);
  border-radius: 8px; font-size: .875rem; }
:is(.toolbar, .scales, .live) button:hover { background: var(--raised); }

.bar-head { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1.5rem; margin-bottom: .6rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; color: var(--soft); font-size: .8125rem; flex: 1; }
.legend li { display: flex; align-items: center; gap: .35rem; }
.legend svg { width: 16px; height: 18px; }
.scales { display: flex; }
.scales button:first-child { border-radius: 8px 0 0 8px; }
.scales button:last-child { border-radius: 0 8px 8px 0; margin-left: -1px; }
:is(.scales, .live) button[aria-pressed=true] { background: var(--ink); border-color: var(--ink); color: var(--page); }
.chart { --gutter: 13rem; position: relative; max-height: 65vh; overflow: auto; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; box-shadow: var(--shadow); padding: 0 2.25rem .5rem 1rem; }
.axis { position: sticky; top: 0; z-index: 2; display: grid; grid-template-columns: var(--gutter) 1fr; height: 26px;
  align-items: center; background: var(--card); border-bottom: 1px solid var(--line); color: var(--soft);
  font-size: .75rem; margin: 0 -2.25rem .35rem -1rem; padding: 0 2.25rem 0 1rem; }
.axis i { font-style: normal; }
.axis span { display: flex; justify-content: space-between; padding-right: 2rem; }
.axis svg { width: 100%; height: 20px; overflow: visible; fill: currentColor; text-anchor: middle;
  font-variant-numeric: tabular-nums; }
.bars { position: relative; }
.lines { position: absolute; left: var(--gutter); width: calc(100% - var(--gutter)); height: 100%; overflow: visible;
  stroke: var(--line); pointer-events: none; }
.bar { position: relative; display: flex; align-items: center; gap: .4rem; height: calc(26 * var(--u));
  font-size: .8125rem; content-visibility: auto; contain-intrinsic-height: auto calc(26 * var(--u)); }
.bar.first { border-top: 1px solid var(--strong-line); }
.bar::before { content: attr(data-w); width: 1.5rem; color: var(--soft); font-size: .75rem; text-align: right;
  font-variant-numeric: tabular-nums; padding-right: .25rem; }
.bar a { width: calc(var(--gutter) - 1.5rem - 1em - 1.6rem); margin-right: .4rem; color: inherit; text-decoration: none;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.bar a:hover { text-decoration: underline; }
.bar:hover { background: var(--raised); }
.track { flex: 1; min-width: 0; height: calc(20 * var(--u)); }
.track > *, .legend rect { height: calc(20 * var(--u)); forced-color-adjust: none; outline-offset: 1px; }
.track > svg > rect { height: 100%; }
.track > :hover { filter: brightness(1.12); }
.track > :focus { outline: 2px solid var(--ink); }
.track text { fill: #fff; font-size: 11px; font-weight: 500; text-anchor: middle; dominant-baseline: central;
  pointer-events: none; }
.track .ready text, .track .disk text { fill: #1b2430; }
.track > .tight > text, .track > .plan > text, .track > .admit > text { display: none; }
.track > .plan, .track > .admit, .legend .plan, .legend .admit { y: calc(7 * var(--u)); height: calc(6 * var(--u)); }
.track > .start, .track > .ready, .track > .restore, .legend .start, .legend .ready, .legend .restore {
  y: calc(3 * var(--u)); height: calc(14 * var(--u)); }
.plan { fill: var(--plan); } .admit { fill: var(--admit); } .start { fill: var(--start); } .ready { fill: var(--ready); }
.disk { fill: var(--disk); } .repair { fill: var(--repair); } .patch { fill: var(--patch); }
.verify { fill: var(--verify); } .restore { fill: var(--restore); } .other { fill: var(--admit); }
.bad { stroke: var(--failed); stroke-width: 2; fill: url(#hatch); }
.track .bad text { fill: var(--ink); stroke: var(--card); stroke-width: 4px;
  paint-order: stroke; font-weight: 600; }
.open { opacity: .55; }
#hatch rect { fill: var(--card); } #hatch path { stroke: var(--failed); stroke-width: 2; }
.chart.compact { --u: .5px; }
.compact .bar { font-size: .6875rem; line-height: 1; } .compact .bar::before { font-size: .625rem; }
#tip { position: fixed; z-index: 9; max-width: 24rem; padding: .5rem .75rem; background: var(--ink); color: var(--page);
  border-radius: 8px; font-size: .8125rem; line-height: 1.4; pointer-events: none; overflow-wrap: anywhere; }
#tip b, #tip span { display: block; }

.scroll { margin-top: .6rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  box-shadow: var(--shadow); overflow: auto; max-height: calc(100vh - 5rem); }
table { border-collapse: separate; border-spacing: 0; font-size: .8125rem; line-height: 1.45; }
.js:not(.ready) #hosts > tbody { display: none; }
#more { display: block; position: sticky; left: 0; margin: .75rem auto; padding: .3rem .75rem; background: none;
  border: 1px solid var(--strong-line); border-radius: 8px; font-size: .875rem; }
#hosts { table-layout: fixed; width: 100%; }
/* One account and region needs no columns: the details have them. */
.one-location :is(.c-account, .c-region) { display: none; }
th, td { padding: .5rem .4rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 600; }
#hosts > thead th { position: sticky; top: 0; z-index: 2; background: var(--card); border-top: 0; vertical-align: bottom;
  border-bottom: 1px solid var(--strong-line); color: var(--soft); font-size: .75rem; line-height: 1.25; overflow-wrap: normal; }
#hosts > tbody > tr:first-child > * { border-top: 0; }
#hosts > thead button { display: block; width: 100%; padding: 0; border: 0; background: none; text-align: inherit;
  font-weight: inherit; }
#hosts > thead button::after { content: "↕" / ""; opacity: 0; padding-left: .25em; font-size: .9em; }
#hosts > thead button:is(:hover, :focus-visible)::after { opacity: .6; }
#hosts [aria-sort] button { color: var(--ink); }
#hosts [aria-sort=ascending] button::after { content: "▲" / ""; opacity: 1; font-size: .75em; }
#hosts [aria-sort=descending] button::after { content: "▼" / ""; opacity: 1; font-size: .75em; }
#hosts > * > tr > :first-child { position: sticky; left: 0; z-index: 1; background: var(--card); padding-left: 1.9rem; }
#hosts > thead > tr > :first-child { z-index: 3; }
/* In widths of a digit: so they fit whatever font the system brings. */
.c-host { width: 22ch; } .c-outcome { width: 14.5ch; } .c-step { width: 7.8ch; } .c-account { width: 14ch; }
.c-region { width: 13ch; } :is(.c-installed, .c-missing) { width: 11ch; } .c-errors { width: 12.7ch; }
.c-reboots { width: 8ch; } :is(.c-before, .c-after, .c-grown) { width: 7.4ch; } :is(.c-state, .c-on, .c-idle) { width: 11ch; }
:is(.c-reboots, .c-before, .c-after, .c-grown, .c-on, .c-idle) { text-align: right; font-variant-numeric: tabular-nums; }
.outcome .i { margin-right: .35em; }
span.outcome { font-weight: 600; white-space: nowrap; }
[data-o] small { display: block; color: var(--soft); font-weight: 400; font-size: .75rem; }
.changed { color: var(--held); font-weight: 600; }
#hosts > tbody > tr:hover > * { background: var(--raised); }
.open-details { position: absolute; left: .25rem; top: .4rem; width: 1.5rem; height: 1.5rem; padding: 0; border: 0;
  background: none; color: var(--soft); }
.open-details::before { content: ""; display: block; width: .4rem; height: .4rem; margin: auto; border: solid;
  border-width: 0 1.75px 1.75px 0; transform: rotate(-45deg); }
.open-details[aria-expanded=true]::before { transform: rotate(45deg); }
#hosts > tbody > .details > td { position: static; padding: .25rem 1.25rem 1.25rem 2rem; border-top: 0; text-align: left;
  background: var(--card); }
.details > td > div { position: sticky; left: 2rem; display: flex; flex-wrap: wrap; gap: 1rem 3rem;
  max-width: calc(100vw - 8rem); }
.details dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; flex: 1 1 20rem;
  max-width: 46rem; align-content: start; }
.details dt { color: var(--soft); }
.details dd { overflow-wrap: anywhere; }
.details table { align-self: start; }
.details table :is(th, td) { padding: .2rem 1.25rem .2rem 0; font-variant-numeric: tabular-nums; }
.details thead th { color: var(--soft); border-top: 0; font-weight: 400; }
:is(.below-1650, .below-1200, .below-640) { display: none; }

@media (min-width: 1650px) {
  .scroll { overflow: visible; max-height: none; }
  #hosts > thead th { top: 3.5rem; }
  #hosts > thead > tr > :first-child { border-top-left-radius: 10px; }
}
/* Nothing scrolls sideways: what has no room in the row is in the details. */
@media screen and (max-width: 1649px) {
  :is(.c-reboots, .c-before, .c-after, .c-grown, .c-state, .c-idle) { display: none; }
  .below-1650 { display: block; }
}
@media screen and (max-width: 1199px) {
  :is(.c-step, .c-account, .c-region, .c-errors, .c-on) { display: none; }
  .below-1200 { display: block; }
}
/* A block for each row, in which each number names itself. Sums that are 0 say nothing. */
@media screen and (max-width: 1000px) {
  .stacked thead { display: none; }
  .stacked :is(table, tbody, tfoot) { display: block; }
  .stacked tr { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .75rem; padding: .35rem .75rem;
    border-top: 1px solid var(--line); }
  .stacked tbody > tr:first-child { border-top: 0; }
  .stacked :is(thead, tbody, tfoot) > tr > * { border: 0; padding: .15rem 0; text-align: left; white-space: normal; }
  .stacked :is(td:empty, .zero) { display: none; }
  .stacked [data-label]::before { content: attr(data-label) " "; color: var(--soft); font-weight: 400; }
}
@media (max-width: 1000px) {
  .tiles:not(.at-work) { grid-template-columns: repeat(4, 1fr); }
  .chart { --gutter: 10rem; }
  .track text { display: none; }
}
@media (max-width: 640px) {
  main { padding: 1.25rem 1rem 3rem; }
  .toolbar { margin: 1rem -1rem 0; padding: .6rem 1rem; }
  .toolbar label { position: absolute; clip-path: inset(50%); }
  .toolbar input { flex: 1 1 100%; }
  h1 { font-size: 1.35rem; }
  .legend { flex: 1 1 100%; order: 1; }
  .tiles:is(.at-work, :not(.at-work)) { gap: .4rem; grid-template-columns: repeat(2, 1fr); }
  .tile { padding: .45rem .7rem; }
  .facts { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem 1rem; }
  .chart { --gutter: 7.5rem; padding: 0 1.25rem .5rem .4rem; }
  .axis { margin: 0 -1.25rem .35rem -.4rem; padding: 0 1.25rem 0 .4rem; }
  .axis text:nth-child(even) { display: none; }
  .scroll { overflow: visible; max-height: none; }
  #hosts > thead th { top: 0; position: static; }
  :is(.c-installed, .c-missing) { display: none; }
  #hosts > tbody > tr > th > small { display: none; }
  .c-host { width: 36%; } .c-outcome { width: 26%; }
  .below-640 { display: block; }
  #hosts > tbody > .details > td { padding-left: 1rem; padding-right: 1rem; }
  .details > td > div { position: static; max-width: none; }
  .details table :is(th, td) { padding-right: .8rem; overflow-wrap: normal; }
  .details .ended { display: none; }
}
/* Two pages for 12 hosts, ten for 500: a line for each host, numbers in place of lists, and the timeline of small fleets only. */
@media print {
  @page { size: A4 landscape; margin: 9mm;
    @bottom-right { content: counter(page) " / " counter(pages); font: 7px system-ui, sans-serif; color: #586374; } }
  tr { break-inside: avoid; }
  html { font-size: 9px; }
  body { background: none; font-size: 9px; line-height: 1.3; print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  .toolbar, .scales, .open-details, .details, .live, #tip { display: none !important; }
  .chart, .scroll { max-height: none; overflow: visible; box-shadow: none; border: 0; padding-left: 0; }
  .tiles:is(.at-work, :not(.at-work)) { grid-template-columns: repeat(10, 1fr); }
  .person, .timeline, .hosts, .sums { margin-top: .8rem; }
  .person, .sums { break-inside: avoid; }
  .axis, #hosts > thead th, #hosts > * > tr > :first-child { position: static; }
  .bar { content-visibility: visible; break-inside: avoid; height: calc(20 * var(--u)); }
  .chart { --u: .6px; } .track text { font-size: 8px; }
  .timeline:has(.bar:nth-child(41)) { display: none; }
  #hosts { font-size: 7px; line-height: 1.25; } #hosts tr { break-inside: avoid; }
  .sums :is(th, td) { padding: 1px .5rem; }
  #hosts > * > tr > * { padding: 1px 2px; }
  #hosts > * > tr > :first-child { padding-left: 2px; white-space: nowrap; overflow: hidden; }
  #hosts > thead th { font-size: 6.5px; line-height: 1.1; }
  #hosts :is(b, small) { display: inline; font-size: inherit; }
  #hosts small { margin-left: .4em; }
  #hosts .i { width: .8em; height: .8em; }
  :is(.c-before, .c-idle) { display: none; }
  td:is(.c-installed, .c-missing, .c-errors)[data-s] { font-size: 0; text-align: right; }
  td:is(.c-installed, .c-missing, .c-errors)[data-s]::after {
    content: attr(data-s); font-size: 7px; }
  .hosts:not(:has(#hosts > tbody > tr:nth-child(41))) #hosts { font-size: 9px; }
  .hosts:not(:has(#hosts > tbody > tr:nth-child(41))) td::after { font-size: 9px !important; }
  .c-host { width: 17%; } .c-outcome { width: 8%; } :is(.c-step, .c-reboots, .c-installed, .c-missing, .c-errors) { width: 4%; }
  :is(.c-after, .c-grown) { width: 4.5%; } .c-account { width: 7.5%; } .c-region { width: 6.5%; } .c-state { width: 7.5%; }
  .c-on { width: 5.5%; }
}
"""

HISTORY_SCRIPT = r"""
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
"""

HISTORY_STYLE = r"""
/* What the page of the playbook `history` has besides page.css. */
.history .tiles { grid-template-columns: repeat(7, 1fr); }
.history .tile { grid-template: "n" "s" / 1fr; align-content: start; }
.history .tile > span { grid-column: auto; }
.history section { margin-top: 1.5rem; }
.history .plain { max-width: 60em; }
.history .plain li { margin-top: .4rem; overflow-wrap: anywhere; }
.history .scroll { max-height: none; overflow-x: auto; }
.history .scroll table { width: 100%; }
.history thead th { border-top: 0; border-bottom: 1px solid var(--strong-line); color: var(--soft); font-size: .75rem;
  vertical-align: bottom; white-space: nowrap; }
.history th, .history td { padding: .4rem .75rem; overflow-wrap: normal; }
.history td.names { min-width: 14rem; overflow-wrap: anywhere; }
.history tbody th { max-width: 22rem; min-width: 7rem; overflow-wrap: anywhere; }
.history th button { padding: 0; border: 0; background: none; font-weight: inherit; white-space: nowrap; }
.history [aria-sort=ascending] button::after { content: " ▲" / ""; font-size: .75em; }
.history [aria-sort=descending] button::after { content: " ▼" / ""; font-size: .75em; }
.history tbody > tr:first-child > * { border-top: 0; }
.history .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.history .date { font-variant-numeric: tabular-nums; white-space: nowrap; }
.history .late { color: var(--failed); font-weight: 600; }
.trend { display: block; width: 100%; height: 9rem; margin-top: .6rem; }
.trend .complete, .legend .complete { fill: var(--compliant); }
.trend .incomplete, .legend .incomplete { fill: var(--failed); }
.trend .not_proven, .legend .not_proven { fill: var(--excluded); }
.trend rect, .legend rect { forced-color-adjust: none; }
.legend .complete, .legend .incomplete, .legend .not_proven { height: 16px; }
.trend + .ends { display: flex; justify-content: space-between; margin-top: .2rem; color: var(--soft); font-size: .75rem;
  font-variant-numeric: tabular-nums; }
.history details { margin-top: .6rem; }
.history summary { color: var(--accent); cursor: pointer; }
@media screen and (max-width: 1000px) {
  .history .tiles { grid-template-columns: repeat(4, 1fr); }
  /* The headings stay where they sort. */
  .history .sorted thead { display: block; border-bottom: 1px solid var(--strong-line); }
  .history .stacked thead tr { padding: .5rem .75rem; color: var(--soft); font-size: .75rem; }
  .history .stacked thead tr::before { content: "Sort by" / ""; }
  .history .stacked :is(thead, tbody) > tr > * { border: 0; min-width: 0; max-width: none; padding: .15rem 0; }
  .history .stacked tr > th[scope=row] { flex: 1 1 100%; }
  .history .stacked thead button { text-decoration: underline; text-underline-offset: .2em; }
}
@media (max-width: 640px) { .history .tiles { grid-template-columns: repeat(2, 1fr); } }
@media print {
  .history section { break-inside: auto; }
  .history .scroll table { font-size: 8px; }
  .history details:not([open]) { display: none; }
}
"""
