/** A question that is answered by the likeliest of its choices, each read after the context. */
export interface ChoiceQuestion {
  id: string;
  context: string;
  choices: string[];
  /** index of the right choice */
  answer: number;
}
