import { fixed } from "../../format.js";
import { type Profile, usage } from "../../profile/profile.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { SEQUENTIAL } from "../theme.js";
import { type ChartWords, LARGEST_MODEL } from "./chart-words.js";

/** Shares of the experts of each layer, in running order; each row sums to 1. `task` makes one map a task. */
export interface UsageMap {
  task?: string;
  layers: { layer: string; shares: readonly number[] }[];
}

/**
 * Draws which expert takes which share of the tokens, one row a MoE layer; one map, or one for each of several tasks on
 * the same colours. Layers have one notation in charts, tables and plans: their canonical names, `encoder.layers.1`
 * and, in the decoder, `layers.1`.
 *
 * @param profiles a profile, or profiles by task name, or the shares themselves
 * @example usageHeatMap({ spam: spamProfile, pron: pronProfile })
 */
export function usageHeatMap(profiles: Profile | Record<string, Profile> | UsageMap[], words: ChartWords = {}): Chart {
  const maps = usageMaps(profiles);
  return chart(usageHeatMapSpec(maps), { maxRows: LARGEST_MODEL, title: "Expert usage", finding: evenness(maps),
    ...words });
}

export function usageHeatMapSpec(maps: readonly UsageMap[]): ChartSpec {
  const layers = [...new Set(maps.flatMap((map) => map.layers.map(({ layer }) => layer)))];
  const values = maps.flatMap(({ task, layers: rows }) =>
    rows.flatMap(({ layer, shares }) =>
      shares.map((share, expert) => ({ ...(task === undefined ? {} : { task }), layer, expert, share: share * 100 }))
    )
  );
  const experts = values.reduce((most, { expert }) => Math.max(most, expert + 1), 0);
  const largest = values.reduce((most, { share }) => Math.max(most, share), 0);
  const several = maps.length > 1;
  const cell = Math.max(3, Math.min(several ? 16 : 34, Math.floor((several ? 260 : 620) / experts)));
  const row = Math.max(5, Math.min(several ? 18 : 30, Math.floor(480 / layers.length)));
  const every = [1, 2, 4, 8, 16, 32, 64].find((every) => every * cell >= 26) ?? 128;

  const map = {
    width: cell * experts,
    height: row * layers.length,
    encoding: {
      x: { field: "expert", type: "ordinal", title: "expert",
        axis: { labelAngle: 0, ticks: false, domain: false,
          values: Array.from({ length: experts }, (_, i) => i).filter((i) => i % every === 0) } },
      y: { field: "layer", type: "ordinal", sort: layers, title: "layer",
        axis: { ticks: false, domain: false, labelOverlap: true } },
    },
    layer: [
      {
        mark: { type: "rect", tooltip: true },
        encoding: {
          color: { field: "share", type: "quantitative", title: ["share of", "tokens (%)"],
            scale: { scheme: SEQUENTIAL, domain: [0, largest] } },
        },
      },
      // numbers only where they fit
      ...(cell >= 26 && row >= 16
        ? [{
          mark: { type: "text", fontSize: 11 },
          encoding: { text: { field: "share", type: "quantitative", format: ".0f" },
            color: { condition: { test: `datum.share > ${largest * 0.6}`, value: "black" }, value: "white" } },
        }]
        : []),
    ],
  };
  if (!several) return { data: { values }, ...map };
  return {
    data: { values },
    facet: { field: "task", type: "nominal", title: null, sort: maps.map(({ task }) => task ?? "") },
    columns: Math.max(1, Math.min(maps.length, Math.floor(760 / (map.width + 60)))),
    spec: map,
  };
}

function usageMaps(profiles: Profile | Record<string, Profile> | UsageMap[]): UsageMap[] {
  if (Array.isArray(profiles)) return profiles;
  const shares = (profile: Profile) =>
    Object.entries(profile.layers).map(([layer, measured]) => ({ layer, shares: usage(measured) }));
  if (isProfile(profiles)) return [{ layers: shares(profiles) }];
  return Object.entries(profiles).map(([task, profile]) => ({ task, layers: shares(profile) }));
}

function isProfile(value: object): value is Profile {
  return "version" in value && "layers" in value;
}

/** How many experts a layer uses in effect: one over the sum of squared shares. */
function evenness(maps: readonly UsageMap[]): string {
  const rows = maps.flatMap(({ task, layers }) =>
    layers.map(({ layer, shares }) => ({
      name: `${layer}${task ? ` on ${task}` : ""}`,
      experts: shares.length,
      effective: 1 / shares.reduce((sum, share) => sum + share * share, 0),
    }))
  );
  if (rows.length === 0) return "No MoE layer was measured.";
  const [first, last] = [Math.min, Math.max].map((pick) =>
    rows.find(({ effective }) => effective === pick(...rows.map((row) => row.effective)))!
  );
  const say = (row: (typeof rows)[0]) => `${fixed(row.effective, 1)} of ${row.experts} experts in ${row.name}`;
  return rows.length === 1
    ? `In effect ${say(first)} are used.`
    : `Usage is narrowest with in effect ${say(first)}, widest with ${say(last)}.`;
}
