import type { Message } from "../moelab/wire.js";
import { lines, type Output } from "./notebook.js";

/** Displays by id, over all cells of a notebook: a later cell may update what an earlier one shows. */
export type Displays = Map<string, Output[]>;

/** Turns a kernel's messages into the outputs of a cell, as a front end would save them. */
export function collectOutputs(outputs: Output[], displays: Displays): (message: Message) => void {
  let clearNext = false;
  const add = (output: Output) => {
    if (clearNext) outputs.length = 0;
    clearNext = false;
    outputs.push(output);
  };
  return ({ header, content }) => {
    switch (header.msg_type) {
      case "stream": {
        const last = outputs.at(-1);
        if (!clearNext && last?.output_type === "stream" && last.name === content.name)
          last.text = lines(applyCarriageReturns(last.text.join("") + content.text));
        else add({ output_type: "stream", name: content.name, text: lines(applyCarriageReturns(content.text)) });
        break;
      }
      case "display_data": {
        const output: Output = { output_type: "display_data", data: onDisk(content.data),
          metadata: content.metadata ?? {} };
        add(output);
        const id = content.transient?.display_id;
        if (id !== undefined) displays.set(id, [...(displays.get(id) ?? []), output]);
        break;
      }
      case "update_display_data":
        for (const output of displays.get(content.transient?.display_id) ?? [])
          Object.assign(output, { data: onDisk(content.data), metadata: content.metadata ?? {} });
        break;
      case "execute_result":
        add({ output_type: "execute_result", execution_count: content.execution_count, data: onDisk(content.data),
          metadata: content.metadata ?? {} });
        break;
      case "error":
        add({ output_type: "error", ename: content.ename, evalue: content.evalue, traceback: content.traceback });
        break;
      case "clear_output":
        if (content.wait) clearNext = true;
        else outputs.length = 0;
    }
  };
}

function onDisk(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(
      ([type, value]) => [type, typeof value === "string" && !/^image\/(?!svg)/.test(type) ? lines(value) : value]
    ),
  );
}

/** A progress line that rewrites itself is kept in its last state. */
function applyCarriageReturns(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n/g, "\n").replace(/^.*\r(?=[^\n])/gm, "") : text;
}
