/**
 * Colours that stay apart for colour-blind readers and on white and dark pages alike (Okabe and Ito's, without yellow
 * and black).
 * Text and backgrounds have no colour of their own: the page's theme gives it.
 */
export const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C8C8C"] as const;

/**
 * For a picture without a background of its own, on a page that may be white or dark: the one grey that is legible on
 * both (4.5 to 1 against white, 4.2 to 1 against Lab's dark page).
 */
export const ANY_PAGE = {
  background: "transparent",
  config: { title: { color: "#767676", subtitleColor: "#767676" },
    style: { "guide-label": { fill: "#767676" }, "guide-title": { fill: "#767676" } } },
} as const;

/** For rules, ticks and whatever must be seen but not noticed. */
export const GREY = "#8C8C8C";

/** Sequential colours for amounts: they differ in lightness too, so they survive greyscale. */
export const SEQUENTIAL = "viridis";

/**
 * A text mark in the colour of the page's labels. Vega-Lite writes "black" into every filled text mark, which is lost
 * on a dark
 * page; an unfilled one with an invisible outline leaves the fill to the style, and that comes from the theme.
 */
export const LABEL_MARK = { type: "text", style: "guide-label", filled: false, stroke: "transparent" } as const;

/**
 * Sizes for a notebook column. Nothing here may set a text colour or a background: JupyterLab draws light labels on its
 * dark theme.
 */
export const CONFIG = {
  axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 8, gridColor: GREY,
    gridOpacity: 0.22, domainColor: GREY, tickColor: GREY, labelLimit: 220 },
  legend: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 260 },
  header: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
  title: { fontSize: 14, anchor: "start", offset: 12, subtitleFontSize: 12, subtitlePadding: 4 },
  mark: { color: PALETTE[0] },
  view: { stroke: null },
  range: { category: [...PALETTE] },
} as const;
