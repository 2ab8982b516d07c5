// Charts: colours follow the page ("currentColor"), so a dark screen and white paper both work.
const NARROW_PX = 600;
const WIDEST_LEGEND = 6; // columns: all legends in one line
const SLIMMER = { 6: 4, 4: 2 }; // a legend that is wider than the page would take the panels' room
const look = (narrow, legend) => {
  const config = structuredClone(LOOK);
  for (const part of ["mark", "axis", "legend", "header", "title"]) config[part] = { ...config[part], aria: false }; // it is one image
  config.axisY.labelLimit = narrow ? 140 : 260;
  if (narrow) [config.title.limit, config.header.labelLimit] = [340, 210]; // or they take the panels' room
  config.legend.columns = legend;
  config.legend.layout = { top: { direction: legend < WIDEST_LEGEND ? "vertical" : "horizontal" } };
  return config;
};
const widths = (view) =>
  Object.entries(view.getState().signals).filter(([name, width]) => /width$/i.test(name) && typeof width === "number");
const LOOSE_PX = 40; // what panels may leave free: to widen them draws every mark a second time
const TRIES = 4; // the narrower a panel is, the further slanting names and its last label reach beyond it
const fit = async (box, canvas, view, columns = 1) => {
  // The panels take what their labels leave, within reason.
  for (let tries = 0; tries < TRIES; tries += 1) {
    const room = (box.clientWidth - canvas.querySelector("svg").getBoundingClientRect().width - 2) / columns;
    const before = widths(view);
    const after = before.map(([name, width]) => [name, Math.min(900, Math.max(150, width + room))]);
    if ((room > -1 && room < LOOSE_PX) || after.every(([, width], at) => width === before[at][1])) return;
    for (const [name, width] of after) view.signal(name, width);
    await view.runAsync();
  }
};
// Names that are too long for their place go on in a second line, where a narrow page would cut them.
const ROW = { long: 22, line: 25, cell: "[ /]", case: " " }; // letters, and where a name may be parted
const HEADING = { long: 26, line: 26, parted: "[ /]" };
const TWO_LINES_PX = 27; // the height of a row
const wrapped = ({ long, line }, parted, told = "datum.label") => {
  const text = `(isArray(${told}) ? join(${told}, '\\n') : ${told})`;
  return `split(replace(${text}, regexp('^(?=.{${long + 1}})(.{1,${line}}${parted})(.+)$', 'gm'), '$1\\n$2'), '\\n')`;
};
const wrap = (part, isLong) => {
  const { y, header } = part;
  const parted = ROW[y?.field];
  let found = parted !== undefined && isLong(y.field);
  if (found) {
    const labelBaseline = { condition: { test: `length(datum.label) > ${ROW.long}`, value: "bottom" }, value: "middle" };
    y.axis = { ...y.axis, labelExpr: wrapped(ROW, parted), labelLineHeight: 11, labelBaseline };
  }
  if (header) part.header = { ...header, labelExpr: wrapped(HEADING, HEADING.parted, header.labelExpr) };
  for (const inner of Object.values(part)) if (inner && typeof inner === "object") found = wrap(inner, isLong) || found;
  if (found && part.height?.step < TWO_LINES_PX) part.height.step = TWO_LINES_PX;
  return found;
};
// Panels that stand beside one another (usermeta.panel_px) keep their width: as many as fit.
const beside = (box, { usermeta }) => usermeta?.panel_px && Math.max(1, Math.floor(box.clientWidth / usermeta.panel_px));
// Vega-Lite warns that panels with axes of their own may get the wrong size where their layers have
// unlike data; ours have the same rows in all layers, and it can't be told otherwise. Vega warns of
// a panel without any interval, or one that filters left empty: nothing is drawn there.
const EXPECTED = ["Detected faceted independent scales", "Infinite extent for field", "Log scale domain includes zero: [NaN"];
const warn = console.warn;
console.warn = (...words) => {
  if (!words.some((one) => EXPECTED.some((start) => String(one).startsWith(start)))) warn.apply(console, words);
};
const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: { theme: "custom" } };

// What was not measured is left out of the words at the pointer, where Vega says "NaN".
const UNKNOWN = new Set(["NaN", "undefined", "null"]);
const measured = (words) =>
  words?.constructor === Object ? Object.fromEntries(Object.entries(words).filter(([, word]) => !UNKNOWN.has(String(word)))) : words;
let vegas; // own handler of what stands at the pointer
const pointed = (handler, event, item, words) => vegas(handler, event, item, measured(words));
const ROOM_PX = { head: 70, chart: 320 }; // of a panel's title, legend and axis; of what has no rows

// The cells that a view shows, by their places, and how many marks; none of an axis or a legend.
const marksOf = (item, found = { rows: new Set(), marks: 0 }) => {
  for (const inner of item.items ?? []) {
    if (item.role === "mark" && item.marktype !== "group") {
      found.marks += 1;
      if (inner.datum?.row !== undefined) found.rows.add(inner.datum.row);
    }
    marksOf(inner, found);
  }
  return found;
};

// Where the rows of panels begin, from the top of the picture.
const rowsOf = (svg) => {
  const { top } = svg.getBoundingClientRect();
  const tops = [...svg.querySelectorAll(".role-scope.cell > g")].map((panel) => Math.round(panel.getBoundingClientRect().top - top));
  return { tops, rows: [...new Set(tops)].sort((a, b) => a - b) };
};
const GAP_PX = 6; // above a panel's title
const FOLD_PX = 900; // a chart of many panels shows the first of them until all are asked for
const WORTH = 1.3; // what is only so much higher is not folded
const FIRST_PANELS = /^(datum\.panel(?:_place)?) <= \d+$/; // the filter of charts.base.panels and charts.panel.by
const ENOUGH = 2; // times that height is drawn at least while it is folded: heights are guesses

class Chart {
  constructor(box) {
    this.box = box;
    this.spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
    this.turn = 0;
    const { title } = this.spec;
    this.title = [title?.text ?? title ?? "Chart"].flat().join(" ");
    const caption = box.parentNode.querySelector("figcaption");
    this.told = make("span", { className: "drawn" });
    caption.insertBefore(this.told, caption.querySelector("details"));
    this.unfold = make("button", { type: "button", className: "unfold", hidden: true });
    this.unfold.addEventListener("click", () => {
      this.unfolded = !this.unfolded;
      if (this.unfolded && this.partly) this.again();
      else this.fold();
      if (!this.unfolded) box.parentNode.scrollIntoView({ block: "start" });
    });
    box.after(this.unfold);
    box.style.minHeight = `${this.guess()}px`; // until it is drawn: what is below hardly moves
    this.part = lazily(box, () => this.draw());
  }

  names(part = this.spec, found = new Set()) {
    // The sets of data that it names, wherever in it.
    if (part?.data?.name) found.add(part.data.name);
    for (const inner of Object.values(part ?? {})) if (inner && typeof inner === "object") this.names(inner, found);
    return found;
  }

  // The cells that it is of, by its table; what is not of cells has none.
  cells() {
    const listing = listings.get(this.box.parentNode.querySelector("table[data-listing]"));
    return listing?.spec.source === "cells" ? listing.records() : undefined;
  }

  // Rows that each panel would have, and how many it may have.
  panels() {
    const { rows = Infinity, panels: most = Infinity, by = ["question"] } = this.spec.usermeta ?? {};
    const found = new Map();
    for (const one of this.cells() ?? shown("cells")) {
      const panel = JSON.stringify(by.map((name) => one[name]));
      found.set(panel, (found.get(panel) ?? 0) + 1);
    }
    return { found: [...found.values()], rows, most };
  }

  // About how high its panels would be, each below the one before; none where they stand otherwise.
  heights() {
    const step = this.spec.spec?.height?.step;
    if (!step) return [];
    const { found, rows, most } = this.panels();
    return found.slice(0, most).map((one) => ROOM_PX.head + step * Math.min(one, rows));
  }

  guess() {
    const heights = this.heights();
    const whole = heights.reduce((sum, one) => sum + one, 0) || ROOM_PX.chart;
    return whole > FOLD_PX * WORTH && heights.length > 1 ? FOLD_PX : whole;
  }

  // How many panels to draw where the others are folded away: each would cost as much as what is seen.
  few() {
    const limited = this.spec.usermeta?.panels && this.spec.transform.some((step) => FIRST_PANELS.test(step.filter));
    const heights = limited ? this.heights() : [];
    let [sum, few] = [0, 0];
    while (few < heights.length && (few < 2 || sum < FOLD_PX * ENOUGH)) sum += heights[few++];
    return few < heights.length && !this.unfolded ? few : undefined;
  }

  // The specification with its first panels only.
  cut(spec, few) {
    const fewer = (step) => ({ ...step, filter: step.filter.replace(FIRST_PANELS, `$1 <= ${few}`) });
    return { ...spec, transform: spec.transform.map((step) => (FIRST_PANELS.test(step.filter) ? fewer(step) : step)) };
  }

  again() {
    this.part.stale = true;
    return draw(this.part);
  }

  // Cuts what is long between its panels, on the screen and on paper.
  fold() {
    const svg = this.box.querySelector("svg");
    const { tops, rows } = rowsOf(svg);
    const cut = rows.slice(1).findLast((row) => row <= FOLD_PX) ?? rows[1];
    const long = cut !== undefined && (this.partly || svg.getBoundingClientRect().height > FOLD_PX * WORTH);
    this.end = long && !this.unfolded ? cut - GAP_PX : Infinity;
    svg.parentNode.classList.toggle("folded", this.end < Infinity);
    svg.parentNode.style.maxHeight = this.end < Infinity ? `${this.end}px` : "";
    const seen = tops.filter((top) => top < cut).length;
    const first = seen === 1 ? "first panel is" : `first ${seen} panels are`;
    this.unfold.hidden = !long;
    this.told.textContent = this.words + (this.end < Infinity ? ` Only the ${first} shown.` : "");
    this.unfold.ariaExpanded = String(Boolean(this.unfolded));
    this.unfold.textContent = this.unfolded ? "Show only the first panels" : "Show all panels";
  }

  async draw() {
    const turn = ++this.turn;
    this.box.ariaBusy = "true";
    this.box.style.minHeight = `${this.box.offsetHeight}px`;
    const width = this.box.clientWidth;
    if (width !== this.width) this.legend = width < NARROW_PX ? 2 : WIDEST_LEGEND;
    this.width = width;
    try {
      const canvas = make("div", { className: "drawing" }); // unseen, and what was there stays till then
      this.box.append(canvas);
      let view = await this.embed(canvas, this.few());
      if (this.partly && turn === this.turn && canvas.offsetHeight < FOLD_PX * WORTH) {
        view.finalize(); // less than was guessed: there is nothing to fold away
        view = await this.embed(canvas);
      }
      if (turn === this.turn && !this.beside) await fit(this.box, canvas, view, this.columns);
      if (turn !== this.turn) {
        canvas.remove(); // another filter came meanwhile
        return view.finalize();
      }
      this.view?.finalize();
      this.view = view;
      this.widths = Object.fromEntries(widths(view));
      canvas.classList.remove("drawing");
      this.box.replaceChildren(canvas);
      for (const name of ["role", "aria-roledescription", "aria-label"]) canvas.removeAttribute(name);
      if (this.legend in SLIMMER && this.isLegendCut()) {
        this.legend = SLIMMER[this.legend];
        return this.draw();
      }
      this.tell(marksOf(view.scenegraph().root));
    } catch (error) {
      this.fail("This chart could not be drawn; its figures are in the table below.");
      console.error(error);
    }
    if (turn !== this.turn) return undefined;
    this.box.style.minHeight = "";
    this.box.ariaBusy = "false";
    this.box.dataset.drawn = performance.now();
    return undefined;
  }

  isLegendCut() {
    const { right } = this.box.getBoundingClientRect();
    return [...this.box.querySelectorAll(".role-legend")].some((one) => one.getBoundingClientRect().right > right);
  }

  async embed(canvas, few) {
    const datasets = Object.fromEntries([...this.names()].map((name) => [name, shown(name)]));
    const { $schema: _schema, config: _config, ...spec } = structuredClone(this.spec);
    const narrow = this.width < NARROW_PX;
    const config = look(narrow, this.legend);
    this.beside = beside(this.box, spec);
    if (narrow) wrap(spec, (field) => Object.values(datasets).some((set) => set.some((one) => one[field]?.length > ROW.long)));
    if (this.beside) spec.columns = this.beside;
    else if (spec.columns) this.columns = spec.columns = narrow ? 1 : spec.columns;
    this.partly = few !== undefined;
    // What panels were wide enough for is where the next drawing begins: mostly it fits at once.
    const patch = (vega) => {
      for (const one of vega.signals ?? []) if (typeof one.value === "number") one.value = this.widths?.[one.name] ?? one.value;
      return vega;
    };
    const drawn = { ...(this.partly ? this.cut(spec, few) : spec), datasets };
    const tooltip = vegas ? pointed : options.tooltip;
    const { view } = await vegaEmbed(canvas, drawn, { ...options, config, patch, tooltip });
    if (view.tooltip() === pointed) return view;
    vegas ??= view.tooltip(); // comes with the first chart; another one empties what is drawn
    return view.tooltip(pointed).runAsync();
  }

  tell({ rows, marks }) {
    const { box } = this;
    this.words = this.told.textContent = "";
    this.unfold.hidden = true;
    if (!marks) return this.fail(kept.size < cells.length ? "Nothing that the filters show." : "Nothing to draw.");
    if (rows.size) {
      const all = this.cells()?.length ?? kept.size;
      const panels = this.panels();
      const cut = panels.found.length > panels.most || panels.found.some((one) => one > panels.rows);
      const few = rows.size < all ? `${count(rows.size)} of ` : "";
      this.words = `${few}${plural(all, "cell")} ${rows.size === 1 ? "is" : "are"} drawn${cut && rows.size < all ? ": filter to see others" : ""}.`;
    }
    const svg = box.querySelector("svg");
    this.fold();
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${this.title}. ${this.words} Its figures are in the table below.`);
    // What is wider than the screen must be moved by keyboard too.
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) Object.assign(box, { tabIndex: 0, role: "group", ariaLabel: this.title });
    else if (document.activeElement !== box) for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    return undefined;
  }

  fail(words) {
    this.view?.finalize();
    this.view = undefined;
    this.box.replaceChildren(make("p", { className: "small", textContent: words }));
  }

  resize() {
    if (!this.view || this.box.clientWidth === this.width) return;
    this.part.stale = true;
    if (this.part.seen) draw(this.part);
  }
}
const charts = [...document.querySelectorAll("[data-chart]")].map((box) => new Chart(box));
let resizing;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => charts.forEach((chart) => chart.resize()), SETTLED_MS);
});
