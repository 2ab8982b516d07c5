(() => {
  "use strict";
  // Sorting: the button of a heading turns its column up, then down; what is missing stays last.
  document.addEventListener("click", (event) => {
    const head = event.target.closest("th button")?.parentNode;
    if (!head) return;
    const body = head.closest("table").tBodies[0];
    const up = head.ariaSort === "ascending" ? -1 : 1;
    const numeric = head.classList.contains("number");
    const key = (row) => {
      const cell = row.cells[head.cellIndex];
      return numeric ? parseFloat(cell.dataset.sort ?? NaN) : cell.textContent;
    };
    const order = (a, b) => {
      if (!numeric) return up * a.localeCompare(b);
      return isNaN(a) - isNaN(b) || up * (a - b) || 0;
    };
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up > 0 ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [key(row), row]);
    body.append(...rows.sort((a, b) => order(a[0], b[0])).map((pair) => pair[1]));
  });

  // Charts: colours follow the page ("currentColor"), so a dark screen and white paper both work.
  const ink = "currentColor";
  const look = (narrow) => ({
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: ink, strokeOpacity: 0.2 },
    title: { color: ink, anchor: "start", fontSize: 14 },
    header: { labelColor: ink, labelFontSize: 13 },
    axis: { labelColor: ink, titleColor: ink, domainColor: ink, tickColor: ink, gridColor: ink, gridOpacity: 0.12, titleFontWeight: "normal" },
    axisY: { labelLimit: narrow ? 125 : 260 },
    padding: 0,
    legend: { orient: "top", columns: narrow ? 2 : 6, layout: { top: { direction: narrow ? "vertical" : "horizontal" } }, labelColor: ink, titleColor: ink, symbolBaseStrokeColor: ink, symbolBaseFillColor: ink },
  });
  const fit = (box, view) => {
    // The panels take what their labels leave, within reason.
    const room = box.clientWidth - box.querySelector("svg").getBoundingClientRect().width - 2;
    for (const [name, width] of Object.entries(view.getState().signals)) {
      if (/width$/i.test(name)) view.signal(name, Math.min(900, Math.max(150, width + room)));
    }
    return view.runAsync();
  };
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: { theme: "custom" } };
  for (const box of document.querySelectorAll("[data-chart]")) {
    const spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
    delete spec.$schema;
    delete spec.config;
    vegaEmbed(box, spec, { ...options, config: look(box.clientWidth < 600) })
      .then(async ({ view }) => {
        await fit(box, view);
        addEventListener("resize", () => fit(box, view));
        box.dataset.drawn = performance.now();
      })
      .catch((error) => {
        box.textContent = "This chart could not be drawn; its figures are in the table below.";
        console.error(error);
      });
  }
})();
