import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cleanText, PROSE_CHARACTERS } from "../../sdk/text/clean-text.js";

test("writes the docstring's example", () => {
  assert.is(cleanText("In 1905, “Peace”—at last!"), "in 0000, \"peace\" - at last!");
});

test("accents go, letters stay", () => {
  assert.is(cleanText("Café naïve, Zoë’s\n\n\trôle"), "cafe naive, zoe's role");
});

test("any text becomes the alphabet of prose, and once clean it stays", () => {
  const allowed = new Set(PROSE_CHARACTERS);
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const clean = cleanText(text);
    assert.ok([...clean].every((character) => allowed.has(character)), clean);
    assert.is(cleanText(clean), clean);
  }));
});

test.run();
