/** Breaks between words into lines of about equal length, none longer than `most` letters where words allow it. */
export function brokenLines(text: string, most = 52): string[] {
  const even = text.length / Math.ceil(text.length / most);
  const broken: string[] = [];
  for (const word of text.split(" ")) {
    const last = broken.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= most && last.length < even)
      broken[broken.length - 1] = `${last} ${word}`;
    else broken.push(word);
  }
  return broken;
}
