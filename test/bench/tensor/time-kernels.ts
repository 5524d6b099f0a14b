import { tf } from "../../../sdk/tensor/index.js";

/** Times every kernel call of the active back end; the returned function prints the slowest and stops. */
export function timeKernels(): () => void {
  const backend = tf.getBackend();
  const spent = new Map<string, { calls: number; ms: number }>();
  const originals = tf.getKernelsForBackend(backend);
  let inner = 0; // time inside kernels that the current kernel called
  for (const kernel of originals) {
    tf.unregisterKernel(kernel.kernelName, backend);
    tf.registerKernel({ ...kernel, kernelFunc: (args) => {
      const outside = inner;
      inner = 0;
      const started = performance.now();
      const result = kernel.kernelFunc(args);
      const ms = performance.now() - started;
      const entry = spent.get(kernel.kernelName) ?? { calls: 0, ms: 0 };
      spent.set(kernel.kernelName, { calls: entry.calls + 1, ms: entry.ms + ms - inner });
      inner = outside + ms;
      return result;
    } });
  }
  return () => {
    for (const kernel of originals) {
      tf.unregisterKernel(kernel.kernelName, backend);
      tf.registerKernel(kernel);
    }
    const rows = [...spent].sort(([, a], [, b]) => b.ms - a.ms).slice(0, 16);
    console.table(Object.fromEntries(rows.map(([name, { calls, ms }]) => [name, { calls, ms: Math.round(ms) }])));
  };
}
