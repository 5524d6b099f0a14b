export type Activation = "relu" | "relu-squared" | "silu" | "gelu" | "gelu-tanh";
