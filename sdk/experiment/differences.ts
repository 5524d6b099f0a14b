import { metricKeys, type ReportFile } from "../evaluate/report-file.js";

/** Says in one line how the numbers of a unit that was run anew differ from those that are there. */
export function differences(old: ReportFile, now: ReportFile): string {
  let [numbers, equal, worst, where] = [0, 0, 0, ""];
  for (const [key, entries] of Object.entries(now.results)) {
    if (!(key in old.results)) continue;
    for (const metric of metricKeys(entries).filter((metric) => metric in old.results[key])) {
      const [before, after] = [Number(old.results[key][metric]), Number(entries[metric])];
      const apart = before === after ? 0 : Math.abs(after - before) / Math.max(Math.abs(before), 1e-12);
      numbers++;
      if (apart === 0) equal++;
      if (apart > worst) [worst, where] = [apart, `${key}, ${metric.split(",")[0]}: ${before} was, ${after} is`];
    }
  }
  const left = Object.keys(old.results).filter((key) => !(key in now.results)).length;
  return `${equal} of ${numbers} numbers equal${
    worst > 0 ? `; farthest apart, by ${worst.toExponential(1)}: ${where}` : ""
  }${left > 0 ? `; ${left} entries were not run anew` : ""}`;
}
