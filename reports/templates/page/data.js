// The data: stored by columns, read as records that hold what was measured and nothing else.
const sums = ([decimals, ...steps]) => {
  let sum = 0;
  return steps.map((step) => (sum += step) / 10 ** decimals);
};
const unpacked = ({ words, at, each, times, steps, places, held }, count) => {
  if (words) return at.map((place) => words[place]);
  if (each) return each.flatMap((value, order) => new Array(times[order]).fill(value));
  if (steps) return steps.map((one) => one && sums(one));
  const values = new Array(count).fill(null);
  places.forEach((place, order) => (values[place] = held[order]));
  return values;
};
const decode = ({ count, columns }) => {
  const records = Array.from({ length: count }, () => ({}));
  for (const [name, column] of Object.entries(columns)) {
    const values = Array.isArray(column) ? column : unpacked(column, count);
    values.forEach((value, place) => {
      if (value !== null && value !== undefined) records[place][name] = value;
    });
  }
  return records;
};

const sets = Object.fromEntries(
  Object.entries(JSON.parse(document.getElementById("data").textContent)).map(([name, set]) => [name, decode(set)]),
);
const cells = sets.cells;
let kept = new Set(cells.map((cell) => cell.row)); // places of the cells that the filters show

// What the filters leave of a set: records of cells go with their cell, others always stay.
const shown = (name) => (sets[name] ?? []).filter((record) => record.row === undefined || kept.has(record.row));

const plural = (many, word) => `${many.toLocaleString("en")} ${word}${many === 1 ? "" : "s"}`;
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// Parts that are drawn once they are seen, and again once something changed: charts and tables.
const SETTLED_MS = 120; // who ticks box after box waits for one drawing, not for five
const parts = [];
const draw = (part) => {
  if (!part.stale) return undefined;
  part.stale = false;
  return part.draw();
};
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const part = parts.find((one) => one.element === target);
      part.seen = isIntersecting;
      if (isIntersecting) draw(part);
    }
  },
  { rootMargin: "400px" },
);
const lazily = (element, redraw) => {
  const part = { element, draw: redraw, stale: true, seen: false };
  parts.push(part);
  observer.observe(element);
  return part;
};
let settling;
const outside = ({ element }) => {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom < 0 || top > innerHeight;
};
const changed = () => {
  for (const part of parts) part.stale = true;
  clearTimeout(settling);
  document.documentElement.dataset.settling = "";
  const mine = (settling = setTimeout(async () => {
    // What is in sight first, and one after the other: drawn at once, each would wait for all.
    const near = parts.filter((part) => part.seen).sort((a, b) => outside(a) - outside(b));
    for (const part of near) if (mine === settling) await draw(part);
    if (mine === settling) delete document.documentElement.dataset.settling;
  }, SETTLED_MS));
};
const drawAll = () => Promise.all(parts.map((part) => part.element.closest("details:not([open])") || draw(part)));
