// Runs in the page: replaces the picture of every chart by the live one. Built into one script with Vega by
// kernels/moelab/build.mjs.
import { parse, View, Warn } from "vega";
import { compile } from "vega-lite";

const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
const line = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
const text = { labelColor: ink, titleColor: ink };
const theme = { background: "transparent", title: { color: ink, subtitleColor: ink },
  axis: { ...text, gridColor: line, domainColor: line, tickColor: line }, legend: text, header: text,
  view: { stroke: line }, style: { "guide-label": { fill: ink }, "guide-title": { fill: ink } } };

for (const figure of Array.from(document.querySelectorAll("figure.chart"))) {
  const picture = figure.querySelector(".picture") as HTMLElement;
  try {
    const spec = JSON.parse(figure.querySelector("script.spec")!.textContent!);
    const { spec: vega } = compile({ ...spec, background: undefined }, { config: theme });
    const live = document.createElement("div");
    const view = new View(parse(vega), { renderer: "svg", logLevel: Warn, hover: true, container: live });
    void view.runAsync().then(() => picture.replaceWith(live));
  } catch (error) {
    console.warn("the chart stays a picture:", error);
  }
}
