/**
 * Solves the linear assignment problem: one column for every row so that the sum of scores is extreme.
 * Shortest augmenting paths with potentials (Jonker and Volgenant), O(n^3); ties go to the lower column.
 *
 * @param score n x n, row by row
 * @returns for each row its column
 * @example assign(new Float32Array([1, 2, 3, 1]), 2, { maximize: true })  // [1, 0]
 */
export function assign(score: Float32Array, n: number, { maximize = false } = {}): Int32Array {
  const sign = maximize ? -1 : 1;
  const rowPotential = new Float64Array(n + 1);
  const columnPotential = new Float64Array(n + 1);
  const rowOf = new Int32Array(n + 1);
  const previous = new Int32Array(n + 1);
  for (let row = 1; row <= n; row++) {
    rowOf[0] = row;
    let column = 0;
    const slack = new Float64Array(n + 1).fill(Infinity);
    const done = new Uint8Array(n + 1);
    do {
      done[column] = 1;
      const from = rowOf[column];
      let delta = Infinity;
      let next = 0;
      for (let candidate = 1; candidate <= n; candidate++) {
        if (done[candidate]) continue;
        const reduced = sign * score[(from - 1) * n + candidate - 1] - rowPotential[from] - columnPotential[candidate];
        if (reduced < slack[candidate]) {
          slack[candidate] = reduced;
          previous[candidate] = column;
        }
        if (slack[candidate] < delta) {
          delta = slack[candidate];
          next = candidate;
        }
      }
      for (let index = 0; index <= n; index++) {
        if (done[index]) {
          rowPotential[rowOf[index]] += delta;
          columnPotential[index] -= delta;
        } else slack[index] -= delta;
      }
      column = next;
    } while (rowOf[column] !== 0);
    do {
      const back = previous[column];
      rowOf[column] = rowOf[back];
      column = back;
    } while (column !== 0);
  }
  const columnOf = new Int32Array(n);
  for (let column = 1; column <= n; column++) columnOf[rowOf[column] - 1] = column - 1;
  return columnOf;
}
