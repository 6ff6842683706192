/** Text of a peer, fit for a log line and a terminal: no control or formatting characters, at most `limit` characters. */
export function printable(text: string, limit = 80): string {
  // Cut first: the text may be long, and a cut through a surrogate pair is replaced with the rest.
  const clean = text.slice(0, limit).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
  return text.length > limit ? `${clean}…` : clean;
}
