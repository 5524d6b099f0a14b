import { Resvg } from "@resvg/resvg-js";
import { inspect } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MoeError } from "../../sdk/errors.js";
import { CHART_FONT, fontFiles, textWidth } from "../../sdk/view/chart-font.js";
import { chart } from "../../sdk/view/chart.js";
import { DISPLAY } from "../../sdk/view/displayable.js";
import { LABEL_MARK } from "../../sdk/view/theme.js";
import { DARK } from "./dark-theme.js";
import { countPixels, decodePng } from "./png.js";

const spec = (more: object = {}) => ({
  mark: "bar",
  data: { values: [{ expert: "E0", share: 0.7 }, { expert: "E1", share: 0.3 }] },
  encoding: { x: { field: "expert", type: "nominal" }, y: { field: "share", type: "quantitative" } },
  ...more,
});
const fails = async (run: () => unknown, code: string, message: RegExp) => {
  const error = await (async () => run())().then(() => undefined, (error) => error);
  assert.instance(error, MoeError);
  assert.is(error.code, code);
  assert.match(error.message, message);
};

test(
  "the bundle has the live spec, a picture twice its size with size and description, and the finding " + "in one line",
  async () => {
    const { data, metadata } = await chart(spec({ background: "white" }), { title: "Usage",
      finding: "Expert 0 takes\n 70 %." })[DISPLAY]();
    assert.equal(Object.keys(data), ["application/vnd.vegalite.v5+json", "image/png", "text/plain"]);
    const live = data["application/vnd.vegalite.v5+json"] as Record<string, unknown>;
    assert.is(live.$schema, "https://vega.github.io/schema/vega-lite/v5.json");
    assert.not("background" in live, "a background of its own hides the light labels of a dark page");
    assert.not("background" in (live.config as object));
    assert.type(live.width, "number");
    assert.type(live.height, "number");
    assert.is(live.title, "Usage");
    const png = decodePng(Buffer.from(data["image/png"] as string, "base64"));
    const { width, height, alt } =
      (metadata as Record<string, { width: number; height: number; alt: string }>)["image/png"];
    assert.ok(Math.abs(png.width - 2 * width) <= 1 && Math.abs(png.height - 2 * height) <= 1,
      `${png.width} x ${png.height} for ${width} x ${height}`);
    assert.equal(png.pixel(0, 0), [255, 255, 255]);
    assert.is(alt, "Usage. Expert 0 takes 70 %.");
    assert.is(data["text/plain"], "Expert 0 takes 70 %.");
  },
);

test("a chart prints as its finding and leaves the given spec alone", () => {
  const given = spec({ title: { text: "Old", subtitle: "kept" }, config: { bar: { color: "red" } } });
  const before = JSON.stringify(given);
  const made = chart(given, { finding: "f", title: "New" });
  assert.is(inspect(made), "f");
  assert.is(String(made), "f");
  assert.is(JSON.stringify(given), before);
  assert.equal((made.spec as { title: unknown }).title, { text: "New", subtitle: "kept" });
  assert.equal((made.spec.config as { bar: unknown }).bar, { color: "red" });
});

test("labels have ink without any font of the host, dark on the picture and light on a dark page", async () => {
  const label = (text: string) =>
    chart({ mark: { ...LABEL_MARK, fontSize: 20 }, data: { values: [{ text }] },
      encoding: { text: { field: "text", type: "nominal" } }, width: 120, height: 40 }, { finding: "label" });
  const ink = async (text: string) => countPixels((await label(text).toPng()).png, (rgb) => Math.max(...rgb) < 100);
  assert.is(await ink(" "), 0);
  assert.ok((await ink("MoE 12")) > 300, "black pixels of the label");
  const dark = await label("MoE 12").toPng({ background: "#111", config: DARK as never });
  assert.ok(countPixels(dark.png, (rgb) => Math.min(...rgb) > 180) > 300, "white pixels of the label");
  assert.is(countPixels(dark.png, (rgb) => Math.max(...rgb) < 10), 0, "black pixels on a dark page");
});

test("text widths are the font's own", () => {
  for (const text of ["Expert usage", "0.404 ± 0.025", "WWW iii"]) {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="100"><text x="0" y="50" font-size="40" `
      + `font-family="${CHART_FONT}">${text}</text></svg>`;
    const drawn =
      new Resvg(svg, { font: { loadSystemFonts: false, fontFiles: fontFiles(), defaultFontFamily: CHART_FONT } })
        .getBBox()!.width;
    // the drawn box leaves out the bearings of the outer glyphs and has kerning
    assert.ok(Math.abs(textWidth(text, 40) - drawn) < 8, `${text}: ${textWidth(text, 40)} against ${drawn}`);
  }
});

test("what would freeze or fail a page is refused with what to do", async () => {
  await fails(() => chart(spec({ width: "container" }), { finding: "" }), "chart-width", /accepted is a number/);
  const values = Array.from({ length: 12_000 }, (_, i) => ({ expert: i, share: i }));
  await fails(() => chart(spec({ data: { values } }), { finding: "" }), "chart-too-large",
    /12,000 rows; accepted is up to 5,000.*thinLine/);
  await fails(() => chart({ vconcat: [spec({ data: { values } })] }, { finding: "" }), "chart-too-large", /12,000/);
  chart(spec({ data: { values } }), { finding: "", maxRows: 12_000 });
  await fails(() => chart(spec({ mark: "bra" }), { finding: "" }).toSvg(), "chart-invalid", /Vega-Lite refuses/);
  await fails(() => chart(spec({ data: { url: "file:///etc/hostname" } }), { finding: "" }).toSvg(), "chart-invalid",
    /data from file:\/\/\/etc\/hostname is not loaded/);
});

test.run();
