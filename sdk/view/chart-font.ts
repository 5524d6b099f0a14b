import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** The font of chart pictures, drawn for legibility by the Braille Institute; SIL Open Font License 1.1. */
export const CHART_FONT = "Atkinson Hyperlegible";

/** Its regular and bold TrueType files. */
export function fontFiles(): [regular: string, bold: string] {
  const folder = join(createRequire(import.meta.url).resolve("@expo-google-fonts/atkinson-hyperlegible/package.json"),
    "..");
  const file = (style: string) => join(folder, style, `AtkinsonHyperlegible_${style}.ttf`);
  return [file("400Regular"), file("700Bold")];
}

/**
 * Width of a text in the chart font, as the sum of its glyphs' advances; a glyph that the font lacks counts 0.6 of the
 * size.
 */
export function textWidth(text: string, size: number, bold = false): number {
  const advance = (advances ??= fontFiles().map(readAdvances))[bold ? 1 : 0];
  return size * Array.from(text).reduce((sum, character) => sum + (advance.get(character.codePointAt(0)!) ?? 0.6), 0);
}

let advances: Map<number, number>[] | undefined;

/**
 * Advance of each character in units of the font size, from the tables `head`, `hhea`, `hmtx` and `cmap` (format 4) of
 * an OpenType file.
 */
function readAdvances(file: string): Map<number, number> {
  const bytes = readFileSync(file);
  const table = (tag: string) => {
    for (let record = 12;; record += 16)
      if (bytes.toString("latin1", record, record + 4) === tag) return bytes.readUInt32BE(record + 8);
  };
  const [head, hhea, hmtx, cmap] = ["head", "hhea", "hmtx", "cmap"].map(table);
  const unitsPerEm = bytes.readUInt16BE(head + 18);
  const metrics = bytes.readUInt16BE(hhea + 34);
  const width = (glyph: number) => bytes.readUInt16BE(hmtx + 4 * Math.min(glyph, metrics - 1)) / unitsPerEm;

  let map = cmap;
  for (let i = 0; i < bytes.readUInt16BE(cmap + 2); i++) {
    const candidate = cmap + bytes.readUInt32BE(cmap + 8 + 8 * i);
    if (bytes.readUInt16BE(candidate) === 4) map = candidate;
  }
  const segments = bytes.readUInt16BE(map + 6) / 2;
  const [ends, starts, deltas, offsets] = [14, 16 + 2 * segments, 16 + 4 * segments, 16 + 6 * segments].map((at) =>
    map + at
  );
  const found = new Map<number, number>();
  for (let segment = 0; segment < segments - 1; segment++) {
    const at = 2 * segment;
    const offset = bytes.readUInt16BE(offsets + at);
    const start = bytes.readUInt16BE(starts + at);
    for (let code = start; code <= bytes.readUInt16BE(ends + at); code++) {
      const listed = offset === 0 ? code : bytes.readUInt16BE(offsets + at + offset + 2 * (code - start));
      const glyph = listed === 0 ? 0 : (listed + bytes.readUInt16BE(deltas + at)) % 65_536;
      if (glyph > 0) found.set(code, width(glyph));
    }
  }
  return found;
}
