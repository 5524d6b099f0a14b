import { defineMethod, methodList } from "./plan/methods.js";
import { from, load } from "./pipeline.js";
import { charts, display, kernelHost, table } from "./view/index.js";
import { ready } from "./tensor/index.js";
import { listTasks, loadTask } from "./text/index.js";
import { printedTable } from "./evaluate/index.js";

/** The SDK under one name. */
export const moe = {
  load,
  from,
  defineMethod,
  /** all methods with their papers */
  methods: methodList,
  tasks: listTasks,
  task: loadTask,
  /** a table as a paper prints it */
  printed: printedTable,
  table,
  charts,
  display,
  ready,
  /** aborts when the running cell is interrupted; never outside our kernel */
  get signal(): AbortSignal {
    return kernelHost()?.signal ?? never.signal;
  },
};

const never = new AbortController();
