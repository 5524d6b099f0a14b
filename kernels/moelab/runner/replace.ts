/**
 * Puts a wrapper in the place of a function.
 * util.promisify finds the variant of setTimeout, exists and others on the function itself: properties are kept.
 */
export function replace(holder: object, name: string, wrapper: Function): void {
  const original = (holder as Record<string, Function>)[name]!;
  for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(original)))
    if (key !== "prototype") Object.defineProperty(wrapper, key, descriptor);
  for (const symbol of Object.getOwnPropertySymbols(original))
    Object.defineProperty(wrapper, symbol, Object.getOwnPropertyDescriptor(original, symbol)!);
  (holder as Record<string, Function>)[name] = wrapper;
}
