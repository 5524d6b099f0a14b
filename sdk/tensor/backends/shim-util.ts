/**
 * Gives back two functions of node:util that Node 23 removed and tfjs-node calls. Self-contained: it also runs in
 * another process.
 */
export function shimUtil(util: object): void {
  const removed = util as Record<string, unknown>;
  removed.isNullOrUndefined ??= (x: unknown) => x === null || x === undefined;
  removed.isArray ??= Array.isArray;
}
