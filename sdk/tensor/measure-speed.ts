import * as tf from "@tensorflow/tfjs-core";

export interface Speed {
  /** best of several matrix products in float32, 10^9 operations per second */
  productGflops: number;
  /** best of several copies of 64 MB in JavaScript, bytes read and written */
  memoryGBPerSecond: number;
  /** adding two tensors of eight numbers */
  tinyOperationUs: number;
}

/** Measures the active back end, in about a second. Other work on the machine makes the numbers smaller. */
export async function measureSpeed(): Promise<Speed> {
  return { productGflops: await products(), memoryGBPerSecond: copies(), tinyOperationUs: await tinyOperations() };
}

async function products(): Promise<number> {
  let best = 0;
  // larger matrices only as long as they take little time
  for (const n of [128, 256, 512, 1024]) {
    const x = tf.tidy(() => tf.div(tf.reshape(tf.range(0, n * n), [n, n]), n * n)) as tf.Tensor2D;
    let fastest = Infinity;
    for (let round = 0; round < 4; round++) {
      const started = performance.now();
      const product = tf.matMul(x, x);
      const corner = tf.slice(product, [0, 0], [1, 1]);
      await corner.data(); // a GPU computes in its own time; reading waits for it
      fastest = Math.min(fastest, performance.now() - started);
      tf.dispose([product, corner]);
    }
    x.dispose();
    best = Math.max(best, (2 * n ** 3) / fastest / 1e6);
    if (fastest > 30) break;
  }
  return best;
}

function copies(): number {
  const [from, to] = [new Float32Array(2 ** 24).fill(1), new Float32Array(2 ** 24).fill(2)];
  const times = Array.from({ length: 4 }, () => {
    const started = performance.now();
    to.set(from);
    return performance.now() - started;
  });
  return (2 * from.byteLength) / Math.min(...times) / 1e6;
}

async function tinyOperations(): Promise<number> {
  const x = tf.ones([8]);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const started = performance.now();
    const sum = tf.tidy(() => {
      let y: tf.Tensor = x;
      for (let i = 0; i < 200; i++) y = tf.add(y, x);
      return y;
    });
    await sum.data();
    times.push((performance.now() - started) * 5);
    sum.dispose();
  }
  x.dispose();
  return Math.min(...times);
}
