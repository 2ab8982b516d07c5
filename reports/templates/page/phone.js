// On a phone an answer is its name and figure; what else is least of something is a tap away.
const phone = matchMedia("(max-width: 37.49rem)");
const leasts = [...document.querySelectorAll("details.least")];
const slim = () => {
  for (const one of leasts) one.open = !phone.matches;
};
phone.addEventListener("change", slim);
slim();
