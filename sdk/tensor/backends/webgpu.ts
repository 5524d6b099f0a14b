import type { Candidate } from "./candidate.js";

/** A GPU through the `webgpu` package. */
export const webgpu: Candidate = {
  name: "webgpu",
  async start() {
    return { reason: "the webgpu package is not installed", cure: "Install it where there is a GPU: npm install webgpu @tensorflow/tfjs-backend-webgpu." };
  },
};
