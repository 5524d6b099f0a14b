/**
 * Unicode White_Space with the separators U+001C to U+001F, as Python's `isspace` and `\s` have it, for a class in a
 * regular expression. JavaScript's `\s` has the byte order mark and lacks U+0085.
 */
export const WHITE_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
