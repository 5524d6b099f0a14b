import type { LayerId } from "../model/spec.js";

/**
 * A layer's short name for an axis: E0, D2 in encoder-decoders, L3 in models with one stack.
 *
 * @param all every layer of the chart, to see whether there is an encoder
 * @example layerLabel("encoder.layers.2", ["encoder.layers.2", "layers.0"])  // "E2"
 */
export function layerLabel(layer: LayerId, all: readonly LayerId[]): string {
  const found = /^(encoder\.)?layers\.(\d+)$/.exec(layer);
  if (!found) return layer;
  const stack = found[1] ? "E" : all.some((other) => other.startsWith("encoder.")) ? "D" : "L";
  return `${stack}${found[2]}`;
}
