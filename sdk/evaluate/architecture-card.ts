import { formatCount } from "../format.js";
import { cost } from "../model/cost.js";
import { seesLaterTokens } from "../model/router-spec.js";
import { type ModelSpec, moeLayers } from "../model/spec.js";

/** What a model is made of, as lines of name and value, from its specification alone. */
export function architectureCard(spec: ModelSpec): { name: string; value: string }[] {
  const { parameters, active } = cost(spec);
  const layers = [...(spec.encoder?.layers ?? []), ...spec.decoder.layers];
  const moe = moeLayers(spec).map(({ ffn }) => ffn);
  const each = (values: (string | number)[]) => [...new Set(values)].join(", ");
  return [{ name: "family", value: spec.family }, { name: "layers",
    value: `${
      spec.encoder ? `${spec.encoder.layers.length} + ${spec.decoder.layers.length}` : spec.decoder.layers.length
    }, of which ${moe.length} with experts` }, { name: "width, vocabulary", value: `${spec.width}, ${spec.vocab}` }, {
    name: "tokens mix by",
    value: each(layers.flatMap(({ attention }) => (attention ? [attention.kind] : []))),
  },
    ...(moe.length
      ? [{ name: "experts per layer", value: each(moe.map(({ experts }) => experts)) }, { name: "experts per token",
        value: each(moe.map(({ router }) => router.topK)) }, { name: "expert width",
        value: each(moe.flatMap(({ slots }) => [...new Set(slots.map(({ width }) => width))])) }, {
        name: "shared expert width",
        value: each(moe.map(({ shared }) => shared?.width ?? "none")),
      }, { name: "router", value: each(moe.map(({ router }) =>
        [router.score?.kind ?? "linear", router.choose?.kind ?? "top", router.kind,
          ...(router.groups ? [`${router.groups.keep} of ${router.groups.count} groups`] : []),
          ...(seesLaterTokens(router) ? ["sees later tokens: not causal"] : [])].join(", ")
      )) }]
      : []), { name: "parameters",
    value: `${formatCount(parameters.total)}, ${formatCount(active.total)} active per token` }];
}
