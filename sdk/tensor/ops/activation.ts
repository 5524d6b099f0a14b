export type Activation = "relu" | "silu" | "gelu" | "gelu-tanh";
