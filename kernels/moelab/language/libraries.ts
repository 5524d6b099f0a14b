import { join } from "node:path";
import type ts from "typescript";
import { libraries } from "./compiler-options.js";
import { RolledUpTypes } from "./rolled-up-types.js";

/** What does not change while notebooks run, for all of them: types as text and, once they were used, parsed. */
export class Libraries {
  readonly types: RolledUpTypes;
  /** by path */
  readonly parsed = new Map<string, ts.SourceFile>();

  /**
   * @param home folder of the moelab package
   * @param node whether Node's types are wanted, which a notebook may have itself
   */
  constructor(home: string, node: boolean) {
    this.types = new RolledUpTypes(join(home, "dist/kernel/types"), libraries(), node);
  }
}
