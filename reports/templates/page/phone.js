// On a phone an answer is its name and figure, and a chart's caption a sentence or two; what else is
// least of something, and how the chart is read in full, is a tap away.
const phone = matchMedia("(max-width: 37.49rem)");
const folding = [...document.querySelectorAll("details:is(.least, .reading)")];
const slim = () => {
  for (const one of folding) one.open = !phone.matches;
};
phone.addEventListener("change", slim);
slim();
