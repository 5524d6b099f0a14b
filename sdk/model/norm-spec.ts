export interface NormSpec {
  kind: "rms" | "layer";
  eps: number; /** added to the weight before it multiplies */
  offset?: number;
  bias?: boolean;
}
