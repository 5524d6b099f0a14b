import { createRequire } from "node:module";
import { kernelHost, type MimeBundle } from "./displayable.js";

/** Something that shows bundles and can replace one that it has shown before under the same id. */
export interface FrontEnd {
  show(bundle: MimeBundle, id: string, update: boolean): void;
}

/**
 * The notebook that this process runs in: our kernel, stock tslab, or none.
 * Asked each time, because a library may be loaded before its kernel is ready.
 */
export function frontEnd(): FrontEnd | undefined {
  const host = kernelHost();
  if (host) return { show: (bundle, id, update) => host.display(bundle, { id, update }) };
  return tslab();
}

type WriteDisplayData = (
  content: { data: unknown; metadata: unknown; transient: { display_id: string } },
  update: boolean,
) => void;

/**
 * Stock tslab 1.0.22. Its public `display` sends one MIME type only, its private writer a whole bundle.
 * The running copy is taken from the module cache, so that moelab need not depend on tslab.
 */
function tslab(): FrontEnd | undefined {
  const cache = createRequire(import.meta.url).cache;
  const jupyter = Object.keys(cache).find((file) => /[\\/]tslab[\\/]dist[\\/]jupyter\.js$/.test(file));
  if (jupyter === undefined) return undefined;
  const write = (): WriteDisplayData | null | undefined => cache[jupyter]?.exports.lastWriteDisplayData;
  if (typeof write() !== "function") return undefined;
  return {
    show: ({ data, metadata = {} }, id, update) => write()?.({ data, metadata, transient: { display_id: id } }, update),
  };
}
