import { type Grouped, groupedValues, packGrouped } from "../../tensor/formats/grouped.js";
import type { GroupedFormat, Parts } from "../../tensor/formats/number-format.js";
import type { PackedWeight } from "./layout.js";

/** How a layout of integers by groups is read, once its codes, scales and zeros are unpacked. */
export function ofGroups(
  whole: readonly number[],
  format: GroupedFormat,
  grouped: (bytes: Parts<Uint8Array>) => Grouped,
): Pick<PackedWeight, "values" | "parts"> {
  return { values: (bytes, shape) => groupedValues(grouped(bytes), shape, format),
    parts: (bytes) => packGrouped(grouped(bytes), whole, format) };
}
