import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { evolve } from "../../sdk/search/evolve.js";
import { type LevelRules, type Levels, switched, traded } from "../../sdk/search/levels.js";
import type { Judge, Space, Stage } from "../../sdk/search/search.js";
import type { Draws } from "../../sdk/tensor/draws.js";
import { close } from "../support/close.js";
import { shared } from "../support/shared.js";
import { Tape } from "../support/tape.js";

const test = suite("evolution against EvoPress' own loops");
const path = shared("fixtures/oracles/evopress/evopress.json");

if (path) {
  const { params, fitness: { lin, quad, pair, noise }, prune, quant } = JSON.parse(readFileSync(path, "utf8"));
  /** the synthetic fitness of the oracle */
  const fitness = (v: Levels, ids: readonly number[]) => {
    let sum = 0;
    v.forEach((value, i) => {
      sum += lin[i] * value + quad[i] * value * value;
      for (let j = i + 1; j < v.length; j++) sum += pair[i][j] * value * v[j];
    });
    for (const id of ids) noise[id].forEach((share: number, i: number) => (sum += (share * v[i]) / ids.length));
    return sum;
  };

  /** Replays one recorded search: candidates, minibatches, scores and survivors of the first stages, every parent. */
  async function replay(
    record: { tape: unknown[][]; parents: unknown[];
      first: { num_tokens: number; candidates: unknown[]; sequence_ids: number[]; fitness: number[];
        survivors: unknown[] }[] },
    vary: (parent: Levels, draws: Draws) => Levels | undefined,
    options: { start: Levels; stages: Stage[]; offspring: number; copies?: boolean; length: number;
      shape(levels: Levels): unknown },
  ) {
    const tape = new Tape(record.tape);
    const stages: (typeof record.first)[number][] = [];
    const judge: Judge<Levels> = async (candidates, tokens, draws) => {
      // sequences without replacement until there are tokens enough
      const ids: number[] = [];
      for (let left = tokens!; left > 0;) {
        const id = draws.whole(0, noise.length - 1);
        if (ids.includes(id)) continue;
        ids.push(id);
        left -= options.length;
      }
      const scores = candidates.map((candidate) => fitness(candidate, ids));
      stages.push({ num_tokens: tokens!, candidates: candidates.map(options.shape), sequence_ids: ids, fitness: scores,
        survivors: [] });
      return scores;
    };
    const space: Space<Levels> = { changes: () => ({ layers: {} }), first: () => options.start,
      vary: ([{ candidate }], draws) => vary(candidate, draws), key: String };
    const parents: unknown[] = [];
    await evolve(space, judge, tape, { initial: { candidate: options.start }, generations: params.gen,
      offspring: options.offspring, stages: options.stages, keep: "best", copies: options.copies,
      onGeneration: (generation, { candidate }) => generation > 0 && parents.push(options.shape(candidate)) });
    tape.end();
    assert.equal(parents, record.parents);
    record.first.forEach((stage, at) => {
      assert.equal(stages[at].candidates, stage.candidates, `candidates of stage ${at}`);
      assert.equal(stages[at].sequence_ids, stage.sequence_ids);
      assert.is(stages[at].num_tokens, stage.num_tokens);
      close(stages[at].fitness, stage.fitness, 1e-5, `fitness of stage ${at}`);
    });
  }
  /** tokens of a sequence: the fewest with which the recorded stages take as many sequences as they do */
  const length = Math.max(
    ...prune.first_3_generations.map(({ num_tokens, sequence_ids }: { num_tokens: number; sequence_ids: number[] }) =>
      Math.ceil(num_tokens / sequence_ids.length)
    ),
  );

  test("sparsity search: every draw, candidate and parent", () => {
    const available = Object.values(prune.levels_available) as [number, number][];
    const units = available.map((_, unit) => unit);
    const rules: LevelRules = { low: available.map(([low]) => low), high: available.map(([, high]) => high),
      groups: [units], pick: "redrawn", farthest: prune.max_level, total: prune.max_total_deviation };
    return replay({ ...prune, first: prune.first_3_generations }, (parent, draws) => switched(parent, rules, draws), {
      start: units.map(() => 0),
      offspring: prune.offspring,
      copies: true,
      length,
      shape: (levels) => [...levels],
      stages: prune.survivors.map((survivors: number, at: number) => ({ survivors, tokens: prune.tokens[at] })),
    });
  });

  for (const [name, run] of Object.entries(quant) as [string, any][]) {
    if (!run.groups) continue;
    test(`quantisation search, ${name}: every draw, candidate and parent`, () => {
      const units: string[] = run.groups.flat();
      const target = Number(/target=([\d.]+)/.exec(name)![1]);
      const sizes = units.map((unit) => quant.layer_sizes[unit]);
      let next = 0;
      const groups: number[][] = run.groups.map((group: string[]) => group.map(() => next++));
      const rules: LevelRules = { low: units.map(() => Math.min(...quant.levels)), high: units.map(() =>
        Math.max(...quant.levels)
      ), groups };
      const budget = { sizes, target: sizes.reduce((sum, size) => sum + Math.trunc(size * target), 0) };
      return replay({ ...run, first: run.first_generations }, (parent, draws) =>
        name.includes("none") ? traded(parent, rules, budget, draws) : switched(parent, rules, draws), {
        start: units.map(() => target),
        offspring: params.offspring,
        length,
        shape: (levels) => groups.map((group) => group.map((unit) => levels[unit])),
        stages: prune.survivors.map((survivors: number, at: number) => ({ survivors, tokens: prune.tokens[at] })),
      });
    });
  }
}
test.run();
