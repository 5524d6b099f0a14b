/**
 * Tensors that models keep on the device between two uses, over all models of the process: what is alive and no leak.
 */
export const keptTensors = { count: 0 };
