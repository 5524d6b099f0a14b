import type { Item, Task } from "../tasks/task.js";

/** A rule that needs no network: learns from the training part, then answers an item. */
export type Baseline = (task: Task) => (item: Item) => string[];
