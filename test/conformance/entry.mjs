// Bundled by run.mjs: registers the torch back end and loads the specs.
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import { setTestEnvs } from "@tensorflow/tfjs-core/dist/jasmine_util";
import { register } from "../../sdk/tensor/torch/register.ts";

const registration = register();
if (registration.ok) {
  setTestEnvs([{ name: "test-torch", backendName: "torch", flags: {}, isDataSync: true }]);
  tf.setBackend("torch");
  require("@tensorflow/tfjs-core/dist/tests");
} else {
  globalThis.registrationProblem = `the torch engine: ${registration.reason}. ${registration.cure}`;
}
