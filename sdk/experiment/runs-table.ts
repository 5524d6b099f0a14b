import type { StudyResults } from "../evaluate/index.js";
import { type Table, table } from "../view/index.js";

/** Where a study's numbers come from: one row for all units of a kind, "scratch-1.pron" for scratch-1.pron-1 to 5. */
export function runsTable(name: string, { runs, entries }: StudyResults): Table {
  const kinds = new Map<string, StudyResults["runs"]>();
  for (const run of runs) {
    const kind = run.run.replace(/-\d+$/, "");
    kinds.set(kind, [...(kinds.get(kind) ?? []), run]);
  }
  const rows = [...kinds].map(([kind, own]) => {
    const minutes = own.map(({ seconds }) => seconds / 60).sort((a, b) => a - b);
    const days = own.map(({ date }) => date.toISOString().slice(0, 10)).sort();
    const scored = own.map(({ run }) => entries.filter((entry) => entry.run === run).length);
    return { units: kind, count: own.length, scored: Math.max(...scored),
      minutes: [0, minutes.length >> 1, minutes.length - 1].map((at) => minutes[at].toFixed(1)).join(", "),
      dates: [...new Set([days[0], days.at(-1)])].join(" to "),
      machine: [...new Set(own.map(({ machine, engine }) => `${machine}, ${engine}`))].join("; "),
      command: own[0].command };
  });
  return table(rows, { title: `${name}: units of the study`, maxRows: 60,
    columns: { units: "text", count: { title: "units", format: "count" },
      scored: { title: "models scored", format: "count" },
      minutes: { title: "minutes: least, median, most", format: "text" }, dates: "text", machine: "text",
      command: { title: "a command that repeats one", format: "text" } } });
}
