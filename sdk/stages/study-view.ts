import { cost } from "../evaluate/index.js";
import { moeLayers } from "../model/spec.js";
import type { MimeBundle } from "../view/displayable.js";
import { html } from "../view/html.js";
import { type Chart, charts } from "../view/index.js";
import { type Table, table } from "../view/table.js";
import { ANY_PAGE } from "../view/theme.js";
import { axisOf, scoreTable } from "./score-table.js";
import type { StudyState } from "./study-state.js";

/** How a study draws itself: what it is by then decides. One table, and one chart under it. */
export async function studyView(study: StudyState): Promise<{ bundle: MimeBundle }> {
  const rows = studyTable(study);
  const chart = studyChart(study);
  const text = [rows.toText(), ...(study.warnings ?? []), ...(chart ? [chart.finding] : [])].join("\n\n");
  const warnings = (study.warnings ?? []).map((warning) => html`<p style="max-width:60em">${warning}</p>`).join("");
  if (!chart) return { bundle: { data: { "text/html": `${rows.toHTML()}${warnings}`, "text/plain": text } } };
  const { png, width } = await chart.toPng(ANY_PAGE);
  const image =
    html`<img alt="${chart.alt}" width="${width}" style="max-width:100%;margin-top:0.8em" src="data:image/png;base64,${
      Buffer.from(png).toString("base64")
    }">`;
  return { bundle: { data: { "text/html": `${rows.toHTML()}${warnings}${image}`, "text/plain": text } } };
}

studyView.text = (study: StudyState): string => [studyTable(study).toText(), ...(study.warnings ?? [])].join("\n\n");

function studyTable(study: StudyState): Table {
  const { evaluation, model, original } = study;
  if (!evaluation) return cards(study);
  const arms = [...(evaluation.before ? [{ name: "as loaded", ...evaluation.before }] : []), {
    name: model === original ? model.id : "now",
    ...evaluation.after,
  }];
  const [{ headline, metrics }] = evaluation.after.scores;
  return scoreTable(
    arms.map(({ name, scores, cost }) => ({ name, scores, parameters: cost.parameters.total,
      sizeBytes: cost.sizeBytes.float16, flopsPerToken: cost.flopsPerToken })
    ),
    { title: `${model.id}, ${evaluation.data.id}, n = ${metrics[headline].n}`, head: "model", byTask: true },
  );
}

/** What the model is made of, from the configuration. */
function cards({ model, original }: StudyState): Table {
  const of = (name: string, spec: typeof model.spec) => {
    const { parameters, active, sizeBytes, flopsPerToken } = cost(spec);
    const layers = moeLayers(spec);
    return {
      model: name,
      family: spec.family,
      layers: `${spec.encoder ? `${spec.encoder.layers.length} + ` : ""}${spec.decoder.layers.length}`,
      "MoE layers": layers.length,
      experts: layers.map(({ ffn }) => ffn.slots.length).join(", "),
      "per token": layers[0]?.ffn.router.topK ?? 0,
      parameters: parameters.total,
      active: active.total,
      size: sizeBytes.float16,
      flops: flopsPerToken,
    };
  };
  const rows = model === original
    ? [of(model.id, model.spec)]
    : [of(original.id, original.spec), of(model.id, model.spec)];
  return table(rows, {
    columns: {
      model: "text",
      family: "text",
      layers: "text",
      "MoE layers": "number",
      experts: { title: "experts stored", format: "text" },
      "per token": { title: "experts per token", format: "number" },
      parameters: "count",
      active: { title: "active per token", format: "count" },
      size: { title: "size in float16", format: "bytes" },
      flops: { title: "FLOPs per token", format: "count" },
    },
  });
}

function studyChart({ evaluation, plan, profile, model, original }: StudyState): Chart | undefined {
  if (evaluation) {
    const arms = [...(evaluation.before ? [["as loaded", evaluation.before.scores] as const] : []),
      [model === original ? model.id : "now", evaluation.after.scores] as const];
    const { title, scale } = axisOf(evaluation.after.scores[0].headline);
    const bars = arms.flatMap(([arm, scores]) =>
      scores.map(({ task, headline, metrics: { [headline]: { value, stderr } } }) => ({ task, arm, value: scale * value,
        error: scale * stderr })
      )
    );
    return charts.beforeAfter(bars, { quality: title });
  }
  if (plan && Object.values(plan.layers).some(({ slots }) => slots)) return charts.grouping(plan, { profile });
  return profile ? charts.usageHeatMap(profile) : undefined;
}
