/** What Vega's embedder lays under a chart on JupyterLab's dark theme, as far as it concerns legibility. */
export const DARK = {
  title: { color: "#fff", subtitleColor: "#fff" },
  style: { "guide-label": { fill: "#fff" }, "guide-title": { fill: "#fff" } },
  axis: { domainColor: "#fff", gridColor: "#888", tickColor: "#fff" },
};
