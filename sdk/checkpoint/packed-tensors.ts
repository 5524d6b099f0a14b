import { MoeError } from "../errors.js";
import { expectedTensors } from "../model/expected-tensors.js";
import type { ModelSpec } from "../model/spec.js";
import type { WeightSource } from "../model/weight-source.js";
import { dtypeSizeBytes } from "../tensor/formats/dtype-size.js";
import type { Parts } from "../tensor/formats/number-format.js";
import { type DiskTensor, ownName, type Piece, size } from "./disk-tensors.js";
import type { Family } from "./family.js";
import type { PackedEntry, Packer } from "./packers/packer.js";
import { packerNamed, packers, type SaveFormat } from "./packers/packers.js";
import { notExportable } from "./plain-experts.js";

/** A weight that is written packed, and the tensors that it becomes, by their endings. */
export interface PackedDisk extends PackedEntry {
  canonical: string;
  tensors: Parts<DiskTensor>;
}

/**
 * The packed weights of a model as a format's reader wants them, each under a name of its own, whether or not the
 * family keeps it in a fused tensor.
 *
 * @throws MoeError `not-exportable` with the weight that the format cannot hold, and the formats that can
 */
export function packedTensors(
  spec: ModelSpec,
  weights: WeightSource,
  family: Family,
  format: Exclude<SaveFormat, "plain">,
): PackedDisk[] {
  const packer = packers[format];
  return expectedTensors(spec).flatMap(({ name: canonical }): PackedDisk[] => {
    const { format: numbers, shape } = weights.info(canonical);
    if (!numbers || numbers.kind === "plain") return [];
    const name = ownName(canonical, family);
    const tensors = name.endsWith(packer.weight) ? packer.tensors(numbers, shape) : undefined;
    if (!tensors)
      throw cannotHold(name, JSON.stringify(numbers), shape, format,
        Object.entries(packers).flatMap(([other, each]) =>
          name.endsWith(each.weight) && each.tensors(numbers, shape) ? [other] : []
        ));
    const base = name.slice(0, name.length - packer.weight.length);
    return [{ canonical, name, format: numbers, shape,
      tensors: Object.fromEntries(
        Object.entries(tensors).map(([ending, tensor]) => [ending, { name: base + ending, ...tensor, parts: [] }]),
      ) }];
  });
}

/** What config.json says about packed weights. */
export function packedConfig(
  config: Record<string, unknown>,
  format: SaveFormat,
  packed: readonly PackedDisk[],
  tensors: readonly DiskTensor[],
): Record<string, unknown> {
  const packer = packerNamed(format);
  if (!packer || (packed.length === 0 && format === "moelab")) return {};
  if (packed.length === 0)
    throw notExportable(`no weight is packed, and format is "${format}"`,
      "Plan a number format first, or save without format");
  if (format !== "moelab" && config.moelab)
    throw notExportable(`format is "${format}", and the experts are changed in a way that its readers do not know`,
      "Save with { layout: \"pruned\" } or \"expanded\"");
  const matrices = tensors.filter(({ name, shape }) =>
    shape.length === 2 && name.endsWith(".weight") && !name.includes("embed")
  );
  return packer.config(config, packed, matrices.map(({ name }) => name));
}

function cannotHold(
  name: string,
  numbers: string,
  shape: readonly number[],
  format: string,
  others: string[],
): MoeError {
  return new MoeError("not-exportable",
    `save: ${name} [${shape}] is ${numbers}, and ${format} holds ${packers[format as "gptq"].holds}; accepted for it `
      + `are ${[...others, "plain"].join(", ")}. Save with { format: "${
        others[0] ?? "plain"
      }" }, or plan another format.`);
}

/** Their bytes; a weight is made once, when the first of its tensors is written. */
export function packedPieces(packed: readonly PackedDisk[], weights: WeightSource, packer: Packer): Piece[] {
  return packed.flatMap(({ canonical, format, shape, tensors }) => {
    let made: Promise<Parts<Uint8Array>> | undefined;
    const endings = Object.keys(tensors);
    return endings.map((ending, at): Piece => {
      const { name, dtype, shape: lengths } = tensors[ending];
      return {
        name,
        at: 0,
        sizeBytes: size(lengths) * dtypeSizeBytes[dtype]!,
        async bytes() {
          made ??= weights.parts!(canonical)!.then((parts) => packer.bytes(parts, format, shape));
          const bytes = (await made)[ending];
          if (at === endings.length - 1) made = undefined;
          return bytes;
        },
      };
    });
  });
}
