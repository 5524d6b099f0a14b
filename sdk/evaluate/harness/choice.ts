/** Which choice wins, by three ways to compare log-likelihoods. */
export interface ChoiceScore {
  acc: 0 | 1;
  acc_norm: 0 | 1;
  acc_mutual_info?: 0 | 1;
}

/**
 * Scores one multiple-choice document. The choice with the largest value wins, ties go to the first.
 * `acc` compares log-likelihoods, `acc_norm` log-likelihoods over the characters (code points) of the choice without
 * its leading space, `acc_mutual_info` log-likelihoods less those of the choice without any context.
 */
export function scoreChoice(
  choices: readonly string[],
  gold: number,
  logLikelihoods: readonly number[],
  unconditional?: readonly number[],
): ChoiceScore {
  const wins = (values: readonly number[]): 0 | 1 => (values.indexOf(Math.max(...values)) === gold ? 1 : 0);
  return {
    acc: wins(logLikelihoods),
    acc_norm: wins(logLikelihoods.map((value, choice) => value / [...choices[choice]].length)),
    ...(unconditional
      && { acc_mutual_info: wins(logLikelihoods.map((value, choice) => value - unconditional[choice])) }),
  };
}
