// Filters: what is ticked is shown, nothing ticked means all.
const FILTERS = { device: "Device", workload: "Workload", backend: "Backend", precision: "Precision", verdict: "Validity", question: "Asked", ranked: "Ranked" };
const OF_LINKS = ["question", "ranked"]; // links set these: their menus are there while they are used
const chosen = Object.fromEntries(Object.keys(FILTERS).map((name) => [name, new Set()]));
const bar = document.getElementById("filters");
const status = document.getElementById("shown");
const reset = document.getElementById("reset");
const opener = document.getElementById("filters-open");
const printed = document.getElementById("printed");
const valueOf = (cell, name) => String(cell[name] ?? "");

const boxes = [];
const menus = [];
const menuOf = (name, words, values) => {
  const ticks = values.map((value) => {
    const count = make("small");
    const box = Object.assign(make("input", { type: "checkbox", name, value }), { count });
    boxes.push(box);
    return make("label", {}, box, make("span", { textContent: value || MISSING }), count);
  });
  const all = make("button", { type: "button", textContent: "all", name, value: "all" });
  const none = make("button", { type: "button", textContent: "none", name, value: "none" });
  const summary = make("summary");
  const field = make("fieldset", {}, make("legend", { textContent: words }), make("p", {}, "tick ", all, " ", none), ...ticks);
  const menu = make("details", { className: "menu" }, summary, field);
  menus.push({ name, words, summary, menu });
  return menu;
};
for (const [name, words] of Object.entries(FILTERS)) {
  const values = [...new Set(cells.map((cell) => valueOf(cell, name)))];
  values.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (values.length > 1) document.getElementById("filters-menus").append(menuOf(name, words, values));
}

const passes = (cell, but) =>
  Object.entries(chosen).every(([name, values]) => name === but || !values.size || values.has(valueOf(cell, name)));
const count = (number) => number.toLocaleString("en");

// Beside each value stands how many cells it would show, as the other filters are.
const recount = () => {
  for (const { name } of menus) {
    const found = new Map();
    for (const cell of cells) if (passes(cell, name)) found.set(valueOf(cell, name), (found.get(valueOf(cell, name)) ?? 0) + 1);
    for (const box of boxes) if (box.name === name) box.count.textContent = count(found.get(box.value) ?? 0);
  }
};
const tell = () => {
  const used = menus.filter(({ name }) => chosen[name].size);
  for (const { name, words, summary, menu } of menus) {
    const [first, ...others] = [...chosen[name]].map((value) => value || MISSING);
    summary.textContent = first === undefined ? words : `${words}: ${first}${others.length ? ` +${others.length}` : ""}`;
    summary.classList.toggle("used", first !== undefined);
    menu.hidden = OF_LINKS.includes(name) && first === undefined && !menu.open;
  }
  status.textContent = `${count(kept.size)} of ${plural(cells.length, "cell")}`;
  opener.textContent = used.length ? `Filters (${used.length})` : "Filters";
  reset.hidden = !used.length;
  const told = used.map(({ name, words }) => `${words.toLowerCase()} ${[...chosen[name]].join(" or ")}; `);
  printed.textContent = used.length ? `Shown: ${told.join("")}${status.textContent}` : `Shown: ${cells.length > 1 ? "all " : ""}${plural(cells.length, "cell")}`;
};
const apply = () => {
  kept = new Set(cells.filter((cell) => passes(cell)).map((cell) => cell.row));
  for (const box of boxes) box.checked = chosen[box.name].has(box.value);
  recount();
  tell();
  tellDoubted();
  changed();
};
const tick = (name, values) => {
  chosen[name] = new Set(values);
  apply();
  keep();
};

bar.addEventListener("change", ({ target }) => {
  if (target.type === "checkbox") tick(target.name, boxes.filter((box) => box.name === target.name && box.checked).map((box) => box.value));
});
bar.addEventListener("click", ({ target }) => {
  if (target.value === "all") tick(target.name, boxes.filter((box) => box.name === target.name).map((box) => box.value));
  if (target.value === "none") tick(target.name, []);
});
bar.addEventListener("submit", (event) => event.preventDefault());
reset.addEventListener("click", () => {
  for (const values of Object.values(chosen)) values.clear();
  apply();
  keep();
  (opener.offsetParent ? opener : menus[0].summary).focus(); // the button itself goes
});

// On a narrow screen one button opens all menus; on a wide one the sections stay open beside.
opener.addEventListener("click", () => {
  opener.ariaExpanded = String(opener.ariaExpanded !== "true");
});
const sections = document.getElementById("sections");
const rail = matchMedia("(min-width: 90rem)");
const settle = () => {
  sections.open = rail.matches;
};
rail.addEventListener("change", settle);
settle();

// A menu closes when another one opens, at Escape, and when the focus or a click goes elsewhere.
const floating = () => [...menus.map(({ menu }) => menu), ...(rail.matches ? [] : [sections])];
const close = (but) => {
  for (const menu of floating()) if (menu !== but) menu.open = false;
};
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.open || !floating().includes(target)) return;
    close(target);
    const inner = target.lastElementChild;
    inner.style.translate = "none";
    inner.style.translate = `${Math.min(0, document.documentElement.clientWidth - 8 - inner.getBoundingClientRect().right)}px`;
  },
  true,
);
addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  const open = floating().find((menu) => menu.open);
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  } else if (opener.ariaExpanded === "true") {
    opener.ariaExpanded = "false";
    opener.focus();
  }
});
const elsewhere = ({ target }) => close(target.closest?.(".menu"));
addEventListener("pointerdown", elsewhere);
addEventListener("focusin", elsewhere);
