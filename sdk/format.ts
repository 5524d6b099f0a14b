// How numbers are written for people. Decimal units: 1 kB is 1,000 bytes, as file sizes of checkpoints are given.

/** @example formatBytes(7_356_000)  // "7.36 MB" */
export function formatBytes(bytes: number): string {
  return scaled(bytes, ["B", "kB", "MB", "GB", "TB", "PB"], " ");
}

/** @example formatCount(1_978_500_000)  // "1.98B" */
export function formatCount(count: number): string {
  return scaled(count, ["", "k", "M", "B", "T"], "");
}

/** @example formatPercent(0.3784)  // "37.8 %" */
export function formatPercent(share: number, digits = 1): string {
  return Number.isFinite(share) ? `${fixed(share * 100, digits)} %` : String(share);
}

/**
 * Two units at most, the smaller one dropped below a minute.
 *
 * @example formatDuration(245_000)  // "4 min 05 s"
 */
export function formatDuration(timeMs: number): string {
  if (!Number.isFinite(timeMs)) return "unknown";
  if (timeMs < 999.5) return `${Math.round(timeMs)} ms`;
  if (timeMs < 59_950) return `${(timeMs / 1000).toFixed(1)} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  const seconds = Math.round(timeMs / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/**
 * A mean with its standard error, both cut to the digits that the error leaves meaning to.
 * The rule is the Particle Data Group's: the error keeps two digits if its first three lie in 100-354, one in 355-949,
 * and is rounded up to 10 in 950-999; the mean stops at the same decimal.
 *
 * @example formatMeanError(40.1234, 0.8312)  // "40.1 ± 0.8"
 * @example formatMeanError(0.60123, 0.1034)  // "0.60 ± 0.10"
 */
export function formatMeanError(mean: number, error: number): string {
  if (!Number.isFinite(error) || error <= 0) return error === 0 ? `${formatNumber(mean)} ± 0` : formatNumber(mean);
  // what the same numbers differ by after a mean over them
  if (error < 1e-12 * Math.abs(mean)) return `${formatNumber(mean)} ± 0`;
  const digits = errorDigits(error);
  return digits > 8 || digits < -8
    ? `${mean.toExponential(2)} ± ${error.toExponential(0)}`
    : `${fixed(mean, digits)} ± ${fixed(error, digits)}`;
}

/** Decimals that a standard error leaves meaning to; negative: tens, hundreds, … */
export function errorDigits(error: number): number {
  const magnitude = Math.floor(Math.log10(error));
  return (error / 10 ** magnitude < 3.55 ? 1 : 0) - magnitude;
}

/**
 * A number at `digits` significant digits, with thousands separated, in exponent form outside 0.0001 to 10^15.
 *
 * @example formatNumber(1234567)   // "1,234,567"
 * @example formatNumber(0.052731)  // "0.0527"
 */
export function formatNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e15) return value.toExponential(Math.max(0, digits - 1));
  if (Number.isInteger(value)) return separated(String(value));
  const rounded = Number(value.toPrecision(digits));
  return fixed(value, Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(rounded)))));
}

/** `digits` decimals (rounded to tens, hundreds … if negative), thousands separated, no negative zero. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  if (Math.abs(value) >= 1e15) return value.toExponential(2);
  const text = digits >= 0 ? value.toFixed(digits) : String(Math.round(value * 10 ** digits) / 10 ** digits);
  return separated(/^-[0.]*$/.test(text) ? text.slice(1) : text);
}

function separated(text: string): string {
  const [whole, decimals] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/**
 * Three significant digits and the largest unit that keeps the number at 1 or above; whole numbers below 1,000 stay
 * whole.
 */
function scaled(value: number, units: string[], space: string): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  let step = 0;
  let rest = Math.abs(value);
  while (step < units.length - 1 && Number(rest.toPrecision(3)) >= 1000) {
    rest /= 1000;
    step++;
  }
  const rounded = Number(rest.toPrecision(3));
  const decimals = rounded === 0 || (step === 0 && Number.isInteger(rest))
    ? 0
    : Math.max(0, 2 - Math.floor(Math.log10(rounded)));
  return `${value < 0 ? "-" : ""}${fixed(rest, decimals)}${space}${units[step]}`;
}
