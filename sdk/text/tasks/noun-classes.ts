import { once } from "../corpora/once.js";
import { lemmas, synsets } from "../corpora/wordnet.js";

/** The twelve classes of nouns, each by the lemma and sense number of the synset at its root. */
const ROOTS: [name: string, lemma: string, sense: number][] = [
  ["person", "person", 1], ["animal", "animal", 1], ["plant", "plant", 2], ["disease", "disease", 1],
  ["food", "food", 1], ["food", "food", 2], ["location", "location", 1], ["substance", "substance", 1], ["artifact", "artifact", 1],
  ["act", "act", 2], ["feeling", "feeling", 1], ["communication", "communication", 2], ["group", "group", 1],
];

/**
 * Gives each noun synset the class of the nearest root above it in the hypernym hierarchy; synsets under no root are left out.
 * Where two roots are equally near, the hypernym that WordNet lists first decides.
 */
export const nounClasses = once((): Map<string, string> => {
  const nouns = synsets("noun");
  const classes = new Map(ROOTS.map(([name, lemma, sense]) => [lemmas("noun").get(lemma)![sense - 1], name]));
  const found = new Map<string, string>();
  for (const id of nouns.keys()) {
    let level = [id];
    for (let depth = 0; level.length > 0 && depth < 30; depth++) {
      const hit = level.find((each) => classes.has(each));
      if (hit) {
        found.set(id, classes.get(hit)!);
        break;
      }
      level = level.flatMap((each) => nouns.get(each)!.fields.pointers.filter(({ relation }) => relation === "@" || relation === "@i").map(({ to }) => to));
    }
  }
  return found;
});
