import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { addNoise, type Blend, type BlendRules, blendRules, changeExperts, crossed, firstBlend,
  twoParents } from "../../sdk/search/blends.js";
import { shared } from "../support/shared.js";
import { Tape } from "../support/tape.js";

const test = suite("EEP's operators against the official ones");
const path = shared("fixtures/oracles/eep/eep.json");

if (path) {
  const json = JSON.parse(readFileSync(path, "utf8"));
  const { params, config } = json;
  type Coefficients = Record<string, number[][]>;
  const names: string[] = json.weight_group_after_set_router_transfer_and_prob;
  const mapping = (name: string) => name.includes("transfer");
  const merging: string[] = names.filter((name) => !mapping(name)), mapped: string[] = names.filter(mapping);
  const blendOf = (coefficients: Coefficients): Blend => ({ merge: merging.map((name) => coefficients[name]),
    map: mapped.map((name) => coefficients[name]) });
  const changedOf = (groups: string[]) => ({ merge: merging.map((name) => groups.includes(name)),
    map: mapped.map((name) => groups.includes(name)) });
  const orderOf = (coefficients: Coefficients) =>
    Object.keys(coefficients).map((name) =>
      mapping(name) ? ["map", mapped.indexOf(name)] as const : ["merge", merging.indexOf(name)] as const
    );
  const rules: BlendRules = { ...blendRules, group: config.weight_change_prob, expert: config.discrete_mutate.prob,
    entry: config.mutate.prob, deviation: config.mutate.scale, normalise: config.norm_prob,
    cross: config.crossover.prob, front: config.crossover.from_front_prob,
    crossWithin: config.crossover.parents_threshold, rank: config.crossover.parents_rank };

  test("initial candidates", () => {
    for (const { tape: record, coeff } of json.init) {
      const tape = new Tape(record);
      assert.equal(firstBlend(params.e, config.budget, merging.length, tape), blendOf(coeff));
      tape.end();
    }
  });

  test("mutation of one-hot matrices", () => {
    for (const { parent, changed_groups, row_prob, tape: record, coeff } of json.discrete_mutate) {
      const tape = new Tape(record);
      const { merge } = changedOf(changed_groups);
      assert.equal(changeExperts(blendOf(json.init[parent].coeff), merge, row_prob, tape), blendOf(coeff));
      tape.end();
    }
  });

  test("mutation of real entries, in float32", () => {
    for (const { parent, changed_groups, tape: record, coeff } of json.mutate) {
      const tape = new Tape(record);
      const before: Coefficients = json.init[parent].coeff;
      const made = addNoise(blendOf(before), changedOf(changed_groups), rules, tape, orderOf(before));
      tape.end();
      const rounded = ({ merge, map }: Blend) => [...merge, ...map].flat(2).map(Math.fround);
      assert.equal(rounded(made), rounded(blendOf(coeff)));
    }
  });

  test("crossover: both parents, rows and whole matrices", () => {
    const scored = json.crossover_population_in_order.map(
      ({ coeff, score }: { coeff: Coefficients; score: number }) => ({
        candidate: blendOf(coeff),
        score: -score,
      })
    );
    for (const { changed_groups, tape: record, coeff } of json.crossover) {
      const tape = new Tape(record);
      const [first, second] = twoParents<Blend>(scored, rules, tape);
      assert.equal(crossed(first, second, changedOf(changed_groups), rules.front, tape), blendOf(coeff));
      tape.end();
    }
  });
}
test.run();
