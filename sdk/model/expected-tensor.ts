/** Name and shape of a weight that a spec needs; a new model has the value `start` everywhere, or random numbers. */
export interface ExpectedTensor {
  name: string;
  shape: number[];
  start?: number;
}
