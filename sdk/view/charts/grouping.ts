import type { LayerPlan, Plan } from "../../plan/plan.js";
import { type Profile, usage } from "../../profile/profile.js";
import { Chart, chart, type ChartSpec } from "../chart.js";
import { GREY, LABEL_MARK, PALETTE } from "../theme.js";
import { type ChartWords, LARGEST_MODEL } from "./chart-words.js";

/** For each expert of a layer the expert whose slot it shares (itself for a leader), or -1 if it is dropped. */
export interface LayerGroups {
  layer: string;
  leaderOf: readonly number[];
  /** shares, in the same order; absent: all alike */
  usage?: readonly number[];
}

/**
 * Draws which experts share a slot: one row a layer, one band a group, its leader first; the area of a circle is the
 * expert's share of the tokens.
 *
 * @param plan a plan that changes slots; the leader of a slot is the first of its sources
 * @param profile gives the shares, from the measurements that the plan was made of
 */
export function grouping(
  plan: Plan | LayerGroups[],
  { profile, ...words }: ChartWords & { profile?: Profile } = {},
): Chart {
  const layers = Array.isArray(plan) ? plan : layerGroups(plan, profile);
  return chart(groupingSpec(layers), { maxRows: LARGEST_MODEL, title: "Groups of experts", finding: slotCounts(layers),
    ...words });
}

export function groupingSpec(layers: readonly LayerGroups[]): ChartSpec {
  const names = layers.map(({ layer }) => layer);
  const rows = layers.map(placed);
  const length = Math.max(1, ...rows.map((row) => row.length));
  const step = Math.max(9, Math.min(30, Math.floor(680 / length)));
  const scale = { domain: [-0.7, length - 0.3] };
  const experts = rows.flatMap((row, i) => row.experts.map((expert) => ({ ...expert, layer: names[i] })));
  const bands = rows.flatMap((row, i) => row.bands.map((band) => ({ ...band, layer: names[i] })));
  const dropped = experts.some(({ role }) => role === "dropped");
  const largest = experts.reduce((most, { share }) => Math.max(most, share), 0);
  const area = Math.PI * (step * 0.46) ** 2;
  const y = { field: "layer", type: "ordinal", sort: names, title: "layer", axis: { ticks: false, domain: false } };
  const x = { field: "position", type: "quantitative", scale, axis: null };
  const color = { field: "color", type: "nominal", scale: null };
  const tooltip = ["layer", "expert", "leader", "share (%)"].map((field) => ({ field }));

  return {
    title: { text: "Groups of experts",
      subtitle: "A band is a group, its solid circle the leader, an area a share of the "
        + `tokens${dropped ? "; a grey ring is dropped" : ""}.` },
    width: length * step,
    height: rows.length * (step < 16 ? 24 : 50),
    encoding: { y },
    layer: [
      { data: { values: bands }, mark: { type: "bar", height: step, cornerRadius: step / 2, opacity: 0.25 },
        encoding: { x: { field: "from", type: "quantitative", scale, axis: null }, x2: { field: "to" }, color } },
      {
        data: { values: experts },
        mark: { type: "point", strokeWidth: 1.5 },
        encoding: {
          x,
          tooltip,
          stroke: color,
          fill: { ...color, condition: { test: "datum.role === 'dropped'", value: "transparent" } },
          fillOpacity: { condition: { test: "datum.role === 'leader'", value: 1 }, value: 0.25 },
          size: { field: "share", type: "quantitative", scale: { domain: [0, largest], range: [4, area] },
            legend: null },
        },
      },
      // numbers only where they fit
      ...(step >= 16
        ? [{
          data: { values: experts },
          mark: { ...LABEL_MARK, fontSize: 11, yOffset: step / 2 + 7 },
          encoding: { x, text: { field: "expert", type: "quantitative" }, ...weightOfLeaders },
        }]
        : []),
    ],
    resolve: { scale: { color: "independent" } },
  };
}

const weightOfLeaders = { opacity: { condition: { test: "datum.role === 'leader'", value: 1 }, value: 0.7 } };

/**
 * Gives every expert of a layer its place: groups by falling share, in each the leader and then the others by share.
 */
function placed({ leaderOf, usage: shares = leaderOf.map(() => 1 / leaderOf.length) }: LayerGroups) {
  const members = new Map<number, number[]>();
  leaderOf.forEach((leader, expert) => members.set(leader, [...(members.get(leader) ?? []), expert]));
  const total = (group: number[]) => group.reduce((sum, expert) => sum + shares[expert], 0);
  const byShare = (leader: number) => (a: number, b: number) =>
    Number(b === leader) - Number(a === leader) || shares[b] - shares[a] || a - b;
  const groups = [...members].sort(([a, left], [b, right]) =>
    Number(a < 0) - Number(b < 0) || total(right) - total(left) || a - b
  );
  let next = 0;
  const experts: { expert: number; leader: number | string; role: string; position: number; share: number;
    "share (%)": number; color: string }[] = [];
  const bands: { from: number; to: number; color: string }[] = [];
  groups.forEach(([leader, group], order) => {
    const color = leader < 0 ? GREY : PALETTE[order % (PALETTE.length - 1)];
    if (leader >= 0) bands.push({ from: next - 0.5, to: next + group.length - 0.5, color });
    for (const expert of [...group].sort(byShare(leader))) {
      const role = leader < 0 ? "dropped" : expert === leader ? "leader" : "member";
      experts.push({ expert, leader: leader < 0 ? "none" : leader, role, position: next++, share: shares[expert],
        "share (%)": Math.round(shares[expert] * 1000) / 10, color });
    }
    next += 0.4;
  });
  return { experts, bands, length: next - 0.4 };
}

function layerGroups(plan: Plan, profile?: Profile): LayerGroups[] {
  return Object.entries(plan.layers).filter(([, layer]) => layer.slots || layer.expertOf || layer.router?.mask).map(
    ([layer, changes]) => {
      const measured = profile?.layers[layer];
      return { layer, leaderOf: leaders(changes, measured?.experts), ...(measured ? { usage: usage(measured) } : {}) };
    },
  );
}

function leaders({ slots, expertOf, router }: LayerPlan, count = 0): number[] {
  const experts = expertOf?.length
    ?? Math.max(count, ...(slots ?? []).flatMap(({ from }) => from.map(({ expert = -1 }) => expert + 1)),
      ...(router?.mask ?? []).map((expert) => expert + 1));
  const masked = new Set(router?.mask);
  return Array.from({ length: experts }, (_, expert) => {
    if (masked.has(expert)) return -1;
    if (!slots) return expertOf ? expertOf.findIndex((slot) => slot === expertOf[expert] && slot >= 0) : expert;
    const slot = expertOf
      ? slots[expertOf[expert]]
      : slots.find(({ from }) => from.some((source) => source.expert === expert));
    return slot?.from[0]?.expert ?? -1;
  });
}

function slotCounts(layers: readonly LayerGroups[]): string {
  const counts = layers.map(({ layer, leaderOf }) =>
    `${layer} ${new Set(leaderOf.filter((leader) => leader >= 0)).size} of ${leaderOf.length}`
  );
  const shown = counts.slice(0, 12);
  return counts.length === 0
    ? "The plan changes no expert."
    : "Experts that remain: "
      + `${shown.join(", ")}${
        counts.length > shown.length ? `, and ${counts.length - shown.length} layers more` : ""
      }.`;
}
