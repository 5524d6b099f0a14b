import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openTensors } from "../../sdk/checkpoint/safetensors.js";
import { tensorSummary } from "../../sdk/checkpoint/tensor-summary.js";
import { fixture } from "../support/shared.js";

const test = suite("tensor-summary");

test("every tensor and byte is counted once", async () => {
  const store = await openTensors(fixture("models/mixtral_sharded"));
  const groups = tensorSummary(store);
  const names = [...store.names()];
  assert.is(groups.reduce((sum, { tensors }) => sum + tensors, 0), names.length);
  assert.is(groups.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    names.reduce((sum, name) => sum + store.info(name).sizeBytes, 0));
  const experts = groups.find(({ part }) => part === "model.layers.*.block_sparse_moe.experts.*.w1.weight")!;
  assert.is(experts.tensors, names.filter((name) => name.endsWith(".w1.weight")).length);
  assert.is(experts.elements * 4, experts.sizeBytes);
  assert.is(groups.find(({ part }) => part === "lm_head.weight")!.shape, "96 x 32");
  await store.close();
});

test("experts that Switch calls expert_0, expert_1 are one group", async () => {
  const store = await openTensors(fixture("models/switch_transformers"));
  const parts = tensorSummary(store).map(({ part }) => part);
  assert.ok(parts.includes("encoder.block.*.layer.*.mlp.experts.expert_*.wi.weight"));
  assert.not.ok(parts.some((part) => /expert_\d/.test(part)));
  await store.close();
});

test("dtypes and shapes are told apart", async () => {
  const store = await openTensors(fixture("dtypes.safetensors"));
  const groups = tensorSummary(store);
  assert.is(groups.length, 19);
  assert.is(groups.find(({ part }) => part === "F32.scalar")!.shape, "scalar");
  assert.is(groups.find(({ part }) => part === "F32.empty")!.elements, 0);
  await store.close();
});

test.run();
