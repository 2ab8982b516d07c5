// The address's hash keeps what is shown, in which order and where, so that a view can be sent
// around: #at=exceptions&device=raspberry-pi-5&device=rock-5b&sort=cells:latency_p99_ms:down
const further = {}; // what other parts of the page keep there, by name
const restored = []; // called with what the hash tells, by other parts of the page
let at = ""; // the anchor that was gone to last

// A filter or an order changes this entry of the history; going to an anchor makes a new one, so
// that "back" leads to where its link was.
const keep = (to) => {
  const hash = new URLSearchParams();
  at = to ?? at;
  if (at) hash.append("at", at);
  for (const [name, values] of Object.entries(chosen)) for (const value of values) hash.append(name, value);
  for (const [key, { order }] of sorted) if (order.up) hash.append("sort", `${key}:${order.name}:${order.up > 0 ? "up" : "down"}`);
  for (const [name, value] of Object.entries(further)) if (value) hash.append(name, value);
  const address = location.href.split("#")[0] + (hash.size ? `#${hash}` : "");
  if (to === undefined) history.replaceState({}, "", address);
  else history.pushState({}, "", address);
};

// What a filter or a long table hides is brought up before it is gone to.
const goTo = (id) => {
  if (!document.getElementById(id)) for (const listing of listings.values()) listing.bringUp(id);
  const target = document.getElementById(id);
  if (!target) return;
  for (let up = target.closest("details"); up; up = up.parentNode.closest("details")) up.open = true;
  document.querySelector("tr.target")?.classList.remove("target");
  if (target.matches("tr")) {
    target.classList.add("target");
    target.tabIndex = -1;
  }
  target.scrollIntoView();
  if (target.hasAttribute("tabindex")) target.focus({ preventScroll: true });
};

const filtered = (told) => {
  for (const [name, values] of Object.entries(chosen)) {
    values.clear();
    for (const value of told.getAll(name)) if (boxes.some((box) => box.name === name && box.value === value)) values.add(value);
  }
};
// Some links are to a place and of some cells: filters are then set to those.
const viewOf = ({ hash, dataset: { shows } }) => new URLSearchParams(`at=${hash.slice(1)}&${shows}`);
const views = new Map([...document.querySelectorAll("a[data-shows]")].map((link) => [link, viewOf(link)]));
for (const [link, view] of views) link.href = `#${view}`; // for another tab; without a script the place is left
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return; // those open another tab
  event.preventDefault();
  const view = views.get(link);
  const id = view?.get("at") ?? decodeURIComponent(link.getAttribute("href").slice(1));
  close();
  if (view) {
    filtered(view);
    apply();
  }
  keep(id);
  goTo(id);
});

// Whatever the hash tells that the page does not know is left alone.
const restore = (jump) => {
  const hash = location.hash.slice(1);
  const told = new URLSearchParams(hash.includes("=") ? hash : hash && { at: hash });
  at = told.get("at") ?? "";
  filtered(told);
  for (const table of sorted.values()) table.sort("", 0);
  for (const words of told.getAll("sort")) {
    const [key, name, way] = words.split(":");
    sorted.get(key)?.sort(name, { up: 1, down: -1 }[way] ?? 0);
  }
  restored.forEach((one) => one(told));
  apply();
  if (jump && at) goTo(at);
  history.replaceState({}, "", location.href);
};
// An address that was written by hand has no state yet; "back" restores the place on its own.
addEventListener("hashchange", () => restore(history.state === null));
