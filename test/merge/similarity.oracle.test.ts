import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Similarity, similarityMatrix } from "../../sdk/merge/similarity.js";
import { moeLayers } from "../../sdk/model/spec.js";
import { buildProfile } from "../../sdk/profile/build-profile.js";
import { mseSimilarityObserver } from "../../sdk/profile/observers/mse-similarity.js";
import { observerNamed } from "../../sdk/profile/observers/named.js";
import { addNeuronMoments, neuronCorrelation } from "../../sdk/profile/observers/neuron-correlation.js";
import { Sums } from "../../sdk/profile/observers/sums.js";
import type { Profile } from "../../sdk/profile/profile.js";
import { withWeightSimilarity } from "../../sdk/profile/weight-similarity.js";
import { ready, Rng } from "../../sdk/tensor/index.js";
import { close } from "../support/close.js";
import { oracleLayers, replay } from "../support/oracle.js";
import { noLeaks } from "../support/tensors.js";

const test = suite("similarities of the official code");
await ready();

const found = await oracleLayers("mc-smoe", "switch");
if (found) {
  const { json, names, ids, layers, tokens, model } = found;
  let profile: Profile;

  test("observers leak no tensor", () =>
    noLeaks(async () => {
      const statistics = ["usage", "routerLogits", "meanInput", "meanAbsInput", "channelNorms", "activationMatching",
        "similarity.feature-correlation.lsa", "similarity.feature-correlation.max"];
      const observers = [...statistics.map((name) => observerNamed(name)), mseSimilarityObserver(model.weights)];
      for (const { id, ffn } of moeLayers(model.spec)) {
        const { event, dispose } = replay(id, ffn, layers[id], tokens(id));
        for (const observer of observers) await observer.see(event);
        dispose();
      }
      profile = buildProfile(observers, { model: { id: "switch", fingerprint: await model.weights.fingerprint() },
        data: { id: "oracle", fingerprint: "", seed: 0 } });
      for (const name of ["router-weight", "weight", "weight-feature", "router-weight-feature"] as const)
        profile = await withWeightSimilarity(profile, model, name);
    }));

  for (const similarity of Object.keys(json.similarity).filter((name) => !name.endsWith("gradient"))) {
    test(similarity, () => {
      for (const [name, id] of ids) {
        close(similarityMatrix(profile, id, similarity as Similarity, new Rng(0)).flat(),
          json.similarity[similarity][name].flat(), 1e-5, `${similarity} ${id}`);
      }
    });
  }

  test("activation matching to the first expert", async () => {
    for (const { id, ffn } of moeLayers(model.spec)) {
      const name = names.find((name) => ids.get(name) === id)!;
      const matching = (profile.layers[id].activationMatching as Record<number, Record<number, number[]>>)[0];
      const sums = new Sums();
      const { event, dispose } = replay(id, ffn, layers[id], tokens(id));
      await addNeuronMoments(sums, event, Array.from({ length: ffn.experts - 1 }, (_, at) => [0, at + 1] as const));
      dispose();
      for (let e = 1; e < ffn.experts; e++) {
        const expected: number[] = json.permutation.activation[name][e];
        // neurons that no token switches on correlate with nothing: among those any order is as good
        const { tokens, width, values } = sums.map((sum) => neuronCorrelation(sum, 0, e))[id];
        if (tokens < 2) {
          assert.equal(matching[e], expected);
          continue;
        }
        const worth = (order: number[]) => order.reduce((sum, neuron, row) => sum + values[row * width + neuron], 0);
        assert.equal([...matching[e]].sort((a, b) => a - b), matching[e].map((_, neuron) => neuron));
        assert.ok(Math.abs(worth(matching[e]) - worth(expected)) < 1e-5,
          `${id} expert ${e}: ${matching[e]}, expected ${expected}`);
      }
    }
  });
}

test.run();
