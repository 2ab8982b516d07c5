// Tables: those with data-listing are filled from the data, the others came with the page.
const MARKS = { valid: "", skipped: "warn", suspect: "warn", imported: "warn" };
const MOST_ROWS = phone.matches ? 15 : 50; // at once: more are a click away, and all of them in print
const FEW_MORE = 1.3; // a table that is only so much longer is shown whole

// As edgebench.report.grid.figure: four significant digits with their zeros. Where a number lies
// exactly between two, JavaScript takes the larger and Python the even one.
const rounded = (value, decimals, text) => {
  const between = Math.abs(value * 2 ** (decimals + 1)) % 2 === 1;
  const odd = "13579".includes(text.replace(/\D/g, "").at(-1));
  const found = between && odd ? (value - (Math.sign(value) * 0.5) / 10 ** decimals).toFixed(decimals) : text;
  return Number(found) === 0 ? found.replace("-", "") : found;
};
const fixed = (value, decimals) => rounded(value, decimals, value.toFixed(decimals));
const grouped = (text) => text.replace(/\B(?=(\d{3})+$)/g, ",");
const figure = (value, scale = 1, digits = null) => {
  if (value === undefined) return MISSING;
  if (typeof value === "string") return value;
  const scaled = value * scale;
  if (Number.isInteger(digits)) return fixed(scaled, digits);
  if (digits !== "float" && Number.isInteger(value)) return String(value);
  const text = scaled.toPrecision(SIGNIFICANT);
  const power = Math.floor(Math.log10(Math.abs(Number(text))));
  if (power >= SIGNIFICANT) return grouped(fixed(scaled, 0));
  if (power < -SIGNIFICANT) return Number(text) ? fixed(scaled, 6) : "0.000";
  return rounded(scaled, SIGNIFICANT - 1 - power, text);
};

const KINDS = {
  text: ([name]) => ({ text: (r) => String(r[name] ?? "") || MISSING, key: (r) => r[name] ?? "" }),
  number: ([name], { scale, digits }) => ({ text: (r) => figure(r[name], scale, digits), key: (r) => r[name] ?? NaN }),
  interval: ([low, high]) => ({
    text: (r) => (r[low] === undefined || r[high] === undefined ? MISSING : `${figure(r[low], 1, "float")} to ${figure(r[high], 1, "float")}`),
    key: (r) => r[high] ?? NaN,
  }),
  // How many times the least of its group's cells that are valid and ran as asked, of those shown.
  times: ([name, group]) => {
    const least = new Map();
    let of; // the cells that `least` is of
    const times = (r) => {
      if (of !== kept) {
        of = kept;
        least.clear();
        for (const one of shown("cells")) {
          if (one.verdict === "valid" && !one.fallback && one.comparable && one[name] > 0) least.set(one[group], Math.min(least.get(one[group]) ?? Infinity, one[name]));
        }
      }
      return r.comparable && r.verdict !== "invalid" && !r.fallback ? r[name] / least.get(r[group]) : NaN;
    };
    return { text: (r) => (isNaN(times(r)) ? MISSING : figure(times(r))), key: times };
  },
  lines: ([name]) => ({ text: (r) => (r[name] ?? MISSING).replaceAll("; ", "\n"), key: (r) => r[name] ?? "", lines: true }),
  verdict: ([name, row]) => ({
    text: (r) => r[name] ?? MISSING,
    key: (r) => r[name] ?? "",
    mark: (r) => MARKS[r[name]] ?? "bad",
    href: (r) => `why-${r[row]}`,
  }),
};

const inOrder = (key, up) => (a, b) => {
  const [one, other] = [key(a), key(b)];
  if (typeof one === "string") return up * one.localeCompare(other);
  return isNaN(one) - isNaN(other) || up * (one - other) || 0; // what is missing stays last
};

const cellOf = (column, record) => {
  const className = column.numeric ? "number" : column.lines ? "lines" : "";
  const textContent = column.text(record);
  const mark = column.mark?.(record);
  if (!mark) return make("td", { className, textContent });
  const href = `#${column.href(record)}`;
  return make("td", { className }, make("a", { className: mark, textContent, href }));
};

class Listing {
  constructor(table) {
    this.table = table;
    this.spec = JSON.parse(table.dataset.listing);
    this.columns = this.spec.columns.map((c) => ({ ...KINDS[c.kind](c.names, c), numeric: ["number", "interval", "times"].includes(c.kind) }));
    this.most = MOST_ROWS;
    this.left = make("span", { className: "small" });
    table.caption.append(this.left);
    this.more = table.parentNode.nextElementSibling;
    this.more.addEventListener("click", () => {
      this.most = Infinity;
      this.fill();
      table.parentNode.focus(); // the button itself goes
    });
    this.part = lazily(table, () => this.fill());
    table.closest("details")?.addEventListener("toggle", () => draw(this.part));
  }

  records(found = shown(this.spec.source)) {
    const { source, needs = [], where = {} } = this.spec;
    const whole = (r) => (source === "cells" || r.row === undefined ? r : { ...cells[r.row], ...r }); // with its cell's
    return found.map(whole).filter(
      (r) =>
        (!needs.length || needs.some((name) => r[name] !== undefined)) &&
        Object.entries(where).every(([name, values]) => values.includes(r[name])),
    );
  }

  // Show the row with this anchor, if it has it.
  bringUp(id) {
    const { anchor } = this.spec;
    if (!anchor || !this.records().some((r) => `${anchor}-${r.row}` === id)) return;
    this.most = Infinity;
    this.fill();
  }

  sort(place, up) {
    this.order = up ? inOrder(this.columns[place].key, up) : undefined;
    this.part.stale = true;
    if (this.part.seen) draw(this.part);
  }

  fill() {
    this.part.stale = false;
    const found = this.records();
    if (this.order) found.sort(this.order);
    const rows = found.slice(0, found.length > this.most * FEW_MORE ? this.most : found.length).map((record) => this.row(record));
    if (!rows.length) {
      const words = kept.size < cells.length ? "Nothing that the filters show." : "Nothing.";
      rows.push(make("tr", {}, make("td", { colSpan: this.columns.length, textContent: words })));
    }
    this.table.tBodies[0].replaceChildren(...rows);
    const fewer = kept.size < cells.length && found.length < this.records(sets[this.spec.source]).length;
    this.left.textContent = fewer ? ` (the filters leave ${found.length.toLocaleString("en")})` : "";
    this.more.hidden = found.length <= rows.length;
    this.more.textContent = `Show all ${plural(found.length, "row")}`;
  }

  row(record) {
    const tr = make("tr", {}, ...this.columns.map((column) => cellOf(column, record)));
    if (this.spec.anchor) tr.id = `${this.spec.anchor}-${record.row}`;
    if (tr.id && tr.id === at) tr.className = "target";
    return tr;
  }
}
const listings = new Map([...document.querySelectorAll("table[data-listing]")].map((table) => [table, new Listing(table)]));

// Sorting: the button of a heading turns its column up, then down, then back to how it came.
class Sorted {
  constructor(table) {
    this.table = table;
    this.heads = [...table.tHead.rows[0].cells];
    this.listing = listings.get(table);
    this.names = this.heads.map((_, place) => this.listing?.spec.columns[place].names[0] ?? String(place + 1));
    this.rows = [...table.tBodies[0].rows];
    this.order = { name: "", up: 0 };
    this.heads.forEach((head, place) => head.firstElementChild?.addEventListener("click", () => this.turn(place)));
  }

  turn(place) {
    const name = this.names[place];
    const { up } = this.order.name === name ? this.order : { up: 0 };
    this.sort(name, { 0: 1, 1: -1, [-1]: 0 }[up]);
    keep();
  }

  sort(name, up) {
    const place = this.names.indexOf(name);
    if (place < 0 && !this.order.up) return;
    this.order = { name, up: place < 0 ? 0 : up };
    for (const head of this.heads) head.removeAttribute("aria-sort");
    if (this.order.up) this.heads[place].ariaSort = up > 0 ? "ascending" : "descending";
    if (this.listing) this.listing.sort(place, this.order.up);
    else this.still(place);
  }

  still(place) {
    const rows = [...this.rows];
    const numeric = this.heads[place]?.classList.contains("number");
    const key = ({ cells: found }) => (numeric ? parseFloat(found[place].dataset.sort ?? NaN) : found[place].textContent);
    if (this.order.up) rows.sort(inOrder(key, this.order.up));
    this.table.tBodies[0].append(...rows);
  }
}
// By the name of the chart or the section that they stand in.
const sorted = new Map();
for (const table of document.querySelectorAll("main table:has(th button)")) {
  const chart = table.closest("figure")?.querySelector("[data-chart]");
  const home = chart ? chart.id.replace(/^chart-/, "") : table.closest("section").id;
  const taken = [...sorted.keys()].filter((key) => key.replace(/-\d+$/, "") === home).length;
  sorted.set(taken ? `${home}-${taken + 1}` : home, new Sorted(table));
}

// What a column means stands below its table; a mouse finds it at the heading too.
for (const list of document.querySelectorAll(".meanings dl")) {
  const told = new Map([...list.querySelectorAll("dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent]));
  for (let up = list.closest(".meanings"); up; up = up.previousElementSibling) {
    if (!up.matches(".scroll")) continue;
    for (const { textContent, parentNode } of up.querySelectorAll("th button")) parentNode.title = told.get(textContent) ?? "";
    break;
  }
}
