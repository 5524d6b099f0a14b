import { once } from "../corpora/once.js";
import { lemmas, synsets } from "../corpora/wordnet.js";

/** The twelve classes of nouns, each by the lemma and sense number of the synset at its root. */
const ROOTS: [name: string, lemma: string, sense: number][] = [["person", "person", 1], ["animal", "animal", 1], [
  "plant",
  "plant",
  2,
], ["state", "state", 2], ["food", "food", 1], ["food", "food", 2], ["location", "location", 1], ["substance",
  "substance", 1], ["artifact", "artifact", 1], ["act", "act", 2], ["cognition", "cognition", 1], ["communication",
  "communication", 2], ["group", "group", 1]];

/**
 * Gives each noun synset the class of the nearest root above it in the hypernym hierarchy; synsets under no root are
 * left out.
 * Where two roots are equally near, the hypernym that WordNet lists first decides.
 */
export const nounClasses = once((): Map<string, string> => {
  const nouns = synsets("noun");
  const classes = new Map(ROOTS.map(([name, lemma, sense]) => [lemmas("noun").get(lemma)![sense - 1], name]));
  const nearest = new Map<string, { name: string; steps: number }>(
    [...classes].map(([id, name]) => [id, { name, steps: 0 }]),
  );
  const find = (id: string): { name: string; steps: number } => {
    let best = nearest.get(id);
    if (best) return best;
    best = { name: "", steps: Infinity };
    for (const { relation, to } of nouns.get(id)!.fields.pointers) {
      if (relation !== "@" && relation !== "@i") continue;
      const above = find(to);
      if (above.steps + 1 < best.steps) best = { name: above.name, steps: above.steps + 1 };
    }
    nearest.set(id, best);
    return best;
  };
  return new Map([...nouns.keys()].map((id) => [id, find(id).name] as const).filter(([, name]) => name !== ""));
});
