/** Name and shape of a weight that a spec needs; a new model has the value `start` everywhere, or random numbers. */
export interface ExpectedTensor {
  name: string;
  shape: number[];
  start?: number;
  /** numbers of rows or places: they are whole numbers, not trained, and a new model has 0, 1, 2, … */
  index?: true;
  /** on the device all rows; in files those that are not zero, and `NAME.rows` says which, where some are */
  scattered?: true;
  /** share of its numbers that a token meets; default all */
  met?: number;
}
