/** One unit of a corpus that must not be cut between training and test: a speech, a chapter, a word, a message. */
export interface Document<F = Record<string, unknown>> {
  /** Unique in its corpus, the same on every machine. */
  id: string;
  text: string;
  fields: F;
}
