import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fixed, formatBytes, formatCount, formatDuration, formatMeanError, formatNumber,
  formatPercent } from "../../sdk/format.js";

const table = (write: (...values: number[]) => string, rows: [number[], string][]) => {
  for (const [values, text] of rows) assert.is(write(...values), text, values.join(", "));
};

test("bytes and counts keep three digits and move up a unit when they round to it", () => {
  table(formatBytes, [[[0], "0 B"], [[999], "999 B"], [[1000], "1.00 kB"], [[7_356_000], "7.36 MB"], [[999_999],
    "1.00 MB"], [[93.4e9], "93.4 GB"], [[-1_234_567], "-1.23 MB"], [[NaN], "NaN"]]);
  table(formatCount, [[[12], "12"], [[65_536], "65.5k"], [[1_978_500_000], "1.98B"], [[732_800_000], "733M"], [[
    999_600,
  ], "1.00M"], [[4.6449e12], "4.64T"]]);
});

test("durations have at most two units and never 60 of one", () => {
  table(formatDuration, [[[850], "850 ms"], [[999.6], "1.0 s"], [[59_960], "1 min 00 s"], [[245_000], "4 min 05 s"], [[
    3_599_600,
  ], "1 h 00 min"], [[7_380_000], "2 h 03 min"], [[86_399_999], "1 d 00 h"], [[Infinity], "unknown"]]);
});

test("a mean stops where its standard error stops to mean something", () => {
  table(formatMeanError, [[[40.1234, 0.8312], "40.1 ± 0.8"], [[0.60123, 0.1034], "0.60 ± 0.10"], [[37.8, 0.97],
    "37.8 ± 1.0"], [[12_345, 970], "12,300 ± 1,000"], [[3, 0.00097], "3.0000 ± 0.0010"], [[1.5, 0], "1.50 ± 0"], [[1.5,
    NaN], "1.50"]]);
});

test("numbers: significant digits, thousands, no negative zero", () => {
  table(formatNumber, [[[1_234_567], "1,234,567"], [[0.052731], "0.0527"], [[0.09996], "0.100"], [[1e-7], "1.00e-7"], [[
    -0,
  ], "0"], [[-Infinity], "-∞"]]);
  table(fixed, [[[-0.001, 1], "0.0"], [[1234.567, 1], "1,234.6"], [[1278, -2], "1,300"]]);
  assert.is(formatPercent(0.3784), "37.8 %");
});

test("what is written can be read back within its rounding", () => {
  fc.assert(fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (value) => {
    const back = Number(formatNumber(value, 4).replaceAll(",", ""));
    assert.ok(Math.abs(back - value) <= Math.abs(value) * 5.01e-4, `${value} became ${formatNumber(value, 4)}`);
  }));
});

test.run();
