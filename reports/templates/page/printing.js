// Printing: whole tables, and of every chart that is not in a closed part what is unfolded, drawn
// for the paper's width and cut between its panels: a browser would cut what is higher than a page
// anywhere. All of it is done before the browser lays out the paper, for drawing waits for nothing
// but itself.
const LONG = 1.2; // charts higher than so many widths are cut

const slice = (svg, end) => {
  const { width, height } = svg.getBoundingClientRect();
  const { tops: panels, rows } = rowsOf(svg);
  if (height < LONG * width || rows.length < 2) return [];
  return rows.filter((row) => row < end).map((row, place) => {
    const from = place ? row - GAP_PX : 0;
    const to = place + 1 < rows.length ? rows[place + 1] - GAP_PX : height;
    const part = svg.cloneNode(true);
    [...part.querySelectorAll(".role-scope.cell > g")].forEach((panel, at) => panels[at] === row || panel.remove());
    part.setAttribute("viewBox", `0 ${from} ${width} ${to - from}`);
    part.setAttribute("height", to - from);
    return part;
  });
};
const onPaper = (chart) => {
  const svg = chart.view && chart.box.querySelector("svg");
  const found = svg?.checkVisibility() ? slice(svg, chart.end) : [];
  if (found.length) chart.box.append(make("div", { className: "slices" }, ...found));
};
// What a table is too wide for is left out, from the right: a browser would shrink the whole page
// for it and cut the rest. Its caption tells what is missing.
const narrowed = (table) => {
  const heads = [...(table.tHead?.rows[0].cells ?? [])];
  const room = table.getBoundingClientRect().left + table.parentNode.clientWidth + 1;
  const most = heads.findIndex((head) => head.getBoundingClientRect().right > room);
  table.classList.toggle("cut", most === 0); // its words are, for there is no column to leave out
  if (most < 1) return;
  for (const { cells: found } of table.rows) for (const one of [...found].slice(most)) one.classList.add("off-paper");
  const names = heads.slice(most).map((head) => head.textContent.trim());
  table.caption?.append(make("span", { className: "left-out", textContent: ` Paper has no room for: ${names.join(", ")}.` }));
};

addEventListener("beforeprint", async () => {
  document.documentElement.classList.add("paper");
  for (const one of folding) one.open = true;
  for (const { part } of charts) part.stale = true;
  for (const listing of listings.values()) {
    listing.whole = listing.most;
    listing.most = Infinity;
    listing.part.stale = true;
  }
  await drawAll();
  charts.forEach(onPaper);
  document.querySelectorAll("main table").forEach(narrowed);
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper");
  for (const one of document.querySelectorAll(".slices, .left-out")) one.remove();
  for (const one of document.querySelectorAll(".off-paper")) one.classList.remove("off-paper");
  for (const listing of listings.values()) listing.most = listing.whole ?? listing.most;
  slim();
  changed();
});
