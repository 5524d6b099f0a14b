/** The protocol counts a cursor in Unicode code points, JavaScript in UTF-16 units: an emoji is 1 there and 2 here. */
export function utf16Offset(text: string, codePoints: number): number {
  let offset = 0;
  for (let seen = 0; seen < codePoints && offset < text.length; seen++)
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  return offset;
}

export function codePointOffset(text: string, utf16: number): number {
  return [...text.slice(0, utf16)].length;
}
