// What did not go as asked is counted of all results; filters leave of it what is told here.
const doubted = document.getElementById("doubted");
const groups = [...document.querySelectorAll("li[data-group]")].map((item) => {
  const places = sets.doubts.filter(({ group }) => group === item.dataset.group).map(({ row }) => row);
  const words = make("span", { className: "small" });
  item.querySelector("summary").append(words);
  return { item, places, words };
});
const tellDoubted = () => {
  const whole = kept.size === cells.length;
  const counts = new Map();
  for (const { row, verdict } of cells) if (kept.has(row)) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  const told = [...counts].sort(([, a], [, b]) => b - a).map(([verdict, many]) => `${many.toLocaleString("en")} ${verdict}`);
  const fell = cells.filter(({ row, fallback }) => fallback && kept.has(row)).length;
  const otherwise = fell ? `; ${fell.toLocaleString("en")} ran otherwise than asked` : "";
  doubted.hidden = whole;
  doubted.textContent = `The filters leave ${kept.size.toLocaleString("en")} of ${plural(cells.length, "cell")}${told.length ? `: ${told.join(", ")}${otherwise}` : ""}.`;
  for (const { item, places, words } of groups) {
    const left = places.filter((row) => kept.has(row)).length;
    item.hidden = !left;
    words.textContent = left < places.length ? ` (the filters leave ${left.toLocaleString("en")})` : "";
  }
  for (const level of document.querySelectorAll(".level")) level.hidden = !level.querySelector("li[data-group]:not([hidden])");
};
