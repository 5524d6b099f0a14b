import type { Dtype } from "../../tensor/formats/dtype.js";
import type { NumberFormat, Parts } from "../../tensor/formats/number-format.js";

/** A weight that is written packed. */
export interface PackedEntry {
  /** its plain name on disk */
  name: string;
  format: NumberFormat;
  shape: readonly number[];
}

/** How packed weights are written for those who read them: one for each value of `save({ format })`. */
export interface Packer {
  /** ending of a weight's plain name that makes way for those of its tensors */
  weight: string;
  /** what it can hold, for errors */
  holds: string;
  /** tensors of a weight by their endings; undefined: it cannot hold this */
  tensors(format: NumberFormat, shape: readonly number[]): Parts<{ dtype: Dtype; shape: number[] }> | undefined;
  /** @param parts of the format's codec @returns bytes by ending */
  bytes(parts: Parts<Uint8Array>, format: NumberFormat, shape: readonly number[]): Parts<Uint8Array>;
  /** what config.json says, beside what is there. @param plain matrices that are not packed, by name */
  config(
    config: Readonly<Record<string, unknown>>,
    packed: readonly PackedEntry[],
    plain: readonly string[],
  ): Record<string, unknown>;
}

export const integers = (...numbers: readonly number[]) => new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer);

/** A module's name: that of its weight without the ending. */
export const moduleOf = (name: string) => name.replace(/\.weight$/, "");
