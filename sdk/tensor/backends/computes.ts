import * as tf from "@tensorflow/tfjs";

/** One small product on the active back end. @throws Error when it is wrong */
export async function computes(): Promise<void> {
  const product = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]])));
  const values = await product.data();
  product.dispose();
  if (values.join() !== "19,22,43,50") throw new Error(`a product of two 2 x 2 matrices gave ${values.join()}, not 19,22,43,50`);
}
