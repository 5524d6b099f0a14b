import { join } from "node:path";
import type ts from "typescript";

/** What a project's tsconfig.json may decide about cells and the modules that they import. */
const TAKEN = new Set(["strict", "noImplicitAny", "strictNullChecks", "strictFunctionTypes", "strictBindCallApply",
  "strictPropertyInitialization", "strictBuiltinIteratorReturn", "useUnknownInCatchVariables", "noImplicitThis",
  "noUncheckedIndexedAccess", "exactOptionalPropertyTypes", "noImplicitOverride", "noImplicitReturns",
  "noFallthroughCasesInSwitch", "noPropertyAccessFromIndexSignature", "baseUrl", "paths", "pathsBasePath", "types",
  "jsx", "jsxFactory", "jsxFragmentFactory", "jsxImportSource", "experimentalDecorators", "emitDecoratorMetadata",
  "useDefineForClassFields"]);

/** What is about files that a build writes, or is so in cells whatever a project says: nobody misses it. */
const WITHOUT_EFFECT =
  /^(target|module|moduleResolution|moduleDetection|out|outDir|outFile|rootDir|declaration.*|source.*|inline.*|map.*|noEmit.*|emit.*|composite|incremental|tsBuildInfoFile|.*skip.*LibCheck|esModuleInterop|allowSyntheticDefaultImports|isolated.*|force.*|resolveJsonModule|allow.*Extensions|rewrite.*|removeComments|importHelpers|preserve.*|verbatimModuleSyntax|erasableSyntaxOnly|newLine|pretty|allowJs|alwaysStrict|configFilePath|no(Implicit)?UseStrict|resolvePackageJson.*|stripInternal)$/i;

/**
 * Options of the tsconfig.json beside a notebook, with what it extends.
 * @param typescript the compiler, which not every thread has loaded
 * @returns those that are taken; what is not, in a line for the user
 */
export function projectOptions(typescript: typeof ts, folder: string): { options: ts.CompilerOptions; note?: string } {
  const file = join(folder, "tsconfig.json");
  const text = typescript.sys.readFile(file);
  if (text === undefined) return { options: {} };
  const { config = {}, error } = typescript.parseConfigFileTextToJson(file, text);
  // a notebook is no list of files: none are looked for
  const host = { ...typescript.sys, readDirectory: () => [] };
  const { options, errors } = typescript.parseJsonConfigFileContent(config, host, folder, {}, file);
  const problem = [error, ...errors].find((each) => each && !NO_INPUTS.has(each.code));
  const names = Object.keys(options);
  const ignored = names.filter((name) => !TAKEN.has(name) && !WITHOUT_EFFECT.test(name));
  const lines = [problem && typescript.flattenDiagnosticMessageText(problem.messageText, " "),
    ignored.length > 0 && `${ignored.join(", ")} ${ignored.length > 1 ? "have" : "has"} no effect on cells`];
  const said = lines.filter(Boolean).join("; ");
  return { options: Object.fromEntries(names.filter((name) => TAKEN.has(name)).map((name) => [name, options[name]])),
    note: said ? `tsconfig.json: ${said}` : undefined };
}

/** "No inputs were found", "The 'files' list is empty" */
const NO_INPUTS = new Set([18002, 18003]);
