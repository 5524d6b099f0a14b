/**
 * The rank that MC-SMoE's released code ends up with when it is asked for r: it goes through a share of the
 * parameters, `ceil(ratio * d f / (d + f))` with `ratio = (d + f) r / (d f)`, and rounding makes some of them r + 1.
 * Here the rank that is asked for is taken as it is; this is for replaying the code.
 *
 * @example releasedRank(17, 512, 1408)  // 18
 */
export function releasedRank(rank: number, width: number, expertWidth: number): number {
  const ratio = ((width + expertWidth) * rank) / (width * expertWidth);
  return Math.ceil((ratio * (width * expertWidth)) / (width + expertWidth));
}
