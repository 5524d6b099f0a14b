import { readAdapter } from "./compose/adapter.js";
import { combineAdapters } from "./compose/combine-adapters.js";
import { saveAdapter } from "./compose/save-adapter.js";
import { loadUpdate, saveUpdate } from "./compose/update-file.js";
import type { Update, UpdateOptions } from "./compose/update.js";
import { inspectModel, printedTable } from "./evaluate/index.js";
import { publishedStudy } from "./experiment/published-study.js";
import type { Kind } from "./method/method.js";
import { defineMethod } from "./methods.js";
import { readTrace } from "./offload/convert-trace.js";
import { allOfNextLayer, gateLookahead, lookaheadRecall } from "./offload/predict.js";
import { replay } from "./offload/replay.js";
import { simulate } from "./offload/simulate.js";
import { saveTrace } from "./offload/trace-file.js";
import { type ArmsOf, create, from, load, type Named } from "./pipeline.js";
import { loadPlan } from "./plan/plan-file.js";
import { loadProfile } from "./profile/profile-file.js";
import type { CompareOptions, Comparison } from "./stages/compare.js";
import { methodList } from "./stages/method-list.js";
import type { Study } from "./stages/study.js";
import { updateOf } from "./stages/update.js";
import { ready } from "./tensor/index.js";
import { listTasks, loadTask } from "./text/index.js";
import { charts, display, kernelHost, type Table, table } from "./view/index.js";

/** The SDK under one name. */
export const moe = {
  load,
  create,
  from,
  /** scores several methods on the same items: see `Profiled.compare` */
  compare: <const M extends readonly Named<Kind>[]>(
    study: Study,
    arms: ArmsOf<M>,
    options?: CompareOptions,
  ): Promise<Comparison> => from(study).compare(arms, options),
  /**
   * what a checkpoint is and holds, from its configuration and headers alone: `await moe.inspect("OLMoE-1B-7B-0924")`
   */
  inspect: inspectModel,
  defineMethod,
  /** a plan that `study.plan.save` wrote, checked */
  loadPlan,
  /** what a study of a paper found: `const study = await moe.study("mc-smoe")`, then `study.verdicts()` */
  study: publishedStudy,
  /** a profile that `study.saveProfile` wrote, checked: `.profile({ from })` takes it */
  loadProfile,
  /**
   * LoRA adapters as peft has them: `const one = moe.adapters.combine([await moe.adapters.load("a")], { by: "ties",
   * density: 0.5 })`, then `moe.load(base).adapt(one)`, or `moe.adapters.save(one, "both")`
   */
  adapters: { load: readAdapter, combine: combineAdapters, save: saveAdapter },
  /**
   * what training changed, made small: `const small = await moe.updates.of(study, { by: "compeft", density: 0.05 })`,
   * `moe.updates.save(small, "task.update")`, `moe.load(base).adapt(await moe.updates.load("task.update", study))`
   */
  updates: {
    of: (study: Study, options: UpdateOptions): Promise<Update> => updateOf(study.state, options),
    save: saveUpdate,
    load: (path: string, base: Study): Promise<Update> => loadUpdate(path, (base.state.base ?? base.original).weights),
  },
  /**
   * routing traces, of `.trace()` or of other engines: `const trace = await moe.traces.load("run.trace.json")`, then
   * `moe.traces.replay(trace, { policy: "lru", slots: 12 }).totals`, or `simulate` with what loads and experts cost
   */
  traces: { load: readTrace, save: saveTrace, replay, simulate, gateLookahead, allOfNextLayer, lookaheadRecall },
  /** all methods with their papers and options; `moe.methods("m-smoe")`: what its options may be */
  methods: methodList,
  tasks: listTasks,
  task: loadTask,
  /** A table as a paper prints it: `moe.printed("mc-smoe", "Table 2")`. */
  printed(paper: string, name: string): Table {
    const { columns, rows, source } = printedTable(paper, name);
    return table(rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]]))), {
      title: `${source}, as printed`,
    });
  },
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
