import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document } from "./document.js";
import { once } from "./once.js";
import { packageFolder } from "./package-folder.js";

const PIXELS = 28 * 28;

export interface Digit {
  /** 0 to 9. */
  digit: number;
  /** 28 rows of 28 grey values from 0 to 1. */
  pixels: Float32Array;
}

/**
 * Reads some 10,000 handwritten digits, one document an image; the text is the digit.
 * Source: `mnist` (MIT), 41 MB, not installed by default.
 */
export const mnist = once((): Document<Digit>[] => {
  const folder = join(packageFolder("mnist"), "src", "digits");
  return Array.from({ length: 10 }, (_, digit) => {
    const { data } = JSON.parse(readFileSync(join(folder, `${digit}.json`), "utf8")) as { data: number[] };
    return Array.from({ length: Math.floor(data.length / PIXELS) }, (_, i) => (
      { id: `${digit}/${i}`, text: String(digit),
        fields: { digit, pixels: Float32Array.from(data.slice(i * PIXELS, (i + 1) * PIXELS)) } }
    ));
  }).flat();
});
