import { MoeError, suggest } from "../../errors.js";
import { BUILDERS, DEFINITIONS } from "./registry.js";
import type { Sizes, Task, TaskDefinition } from "./task.js";

export interface LoadTaskOptions {
  /**
   * Other numbers of items than the definition's. The order inside a part stays, so fewer test items are the first of
   * them.
   */
  sizes?: Partial<Sizes>;
}

const loaded = new Map<string, Task>();

/**
 * Builds a task from the installed corpora. The same items in the same order on every machine; kept in memory for the
 * next call.
 *
 * @throws MoeError `unknown-task`, with the nearest name; `missing-package`, with the command that installs it
 * @example const { test } = await loadTask("pron")
 */
export async function loadTask(name: string, { sizes }: LoadTaskOptions = {}): Promise<Task> {
  const definition = DEFINITIONS.get(name);
  if (!definition)
    throw new MoeError("unknown-task", `load task: there is no task "${name}". ${suggest(name, listTasks())}`);
  const wanted = { ...definition.sizes, ...sizes };
  for (const [part, size] of Object.entries(wanted)) {
    if (!Number.isInteger(size) || size < 0)
      throw new MoeError("task-size",
        `load task: size of ${part} is ${size}; accepted is a whole number from 0. Leave it out for the size `
          + "of the definition.");
  }
  const key = JSON.stringify([name, wanted]);
  if (!loaded.has(key))
    loaded.set(key, { definition: { ...definition, sizes: wanted }, ...BUILDERS[definition.builder](wanted) });
  return loaded.get(key)!;
}

/** The names of all tasks, those that generate first. */
export function listTasks(): string[] {
  return [...DEFINITIONS.keys()];
}

/** The declaration of a task, without building it. */
export function taskDefinition(name: string): TaskDefinition {
  const definition = DEFINITIONS.get(name);
  if (!definition)
    throw new MoeError("unknown-task", `read task: there is no task "${name}". ${suggest(name, listTasks())}`);
  return definition;
}
