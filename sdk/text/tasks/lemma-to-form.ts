import { inflections } from "./inflections.js";
import { cut, split, type Parts } from "./split.js";
import { spelled, symbol } from "./symbols.js";
import type { Sizes } from "./task.js";

/**
 * Builds `inflect`: a form that is asked for and the letters of a lemma, answered by the letters of the form.
 * Lemmas with two such forms (wrote and written are both past) are left out.
 */
export function lemmaToForm(sizes: Sizes): Parts {
  const forms = new Map<string, string[]>();
  for (const { form, lemma, tag } of inflections()) forms.set(`${tag}/${lemma}`, [...(forms.get(`${tag}/${lemma}`) ?? []), form]);
  const pairs = [...forms].filter(([, all]) => all.length === 1).map(([key, [form]]) => {
    const [tag, lemma] = key.split("/");
    return { id: `inflect/${key}`, document: lemma, tag, form };
  });
  return cut(split(pairs), sizes, ({ tag, form, ...pair }) => ({ ...pair, prompt: [symbol(tag), ...spelled(pair.document)], answer: spelled(form) }));
}
