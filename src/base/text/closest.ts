/** The candidate most similar to `text`, for typing mistakes; undefined if none is close. */
export function closest(text: string, candidates: Iterable<string>): string | undefined {
  // One mistake in three characters still allows a guess; a text of one letter does not.
  let bound = Math.max(1, Math.floor(text.length / 3));
  if (text.length < 2 || text.length > 100) return undefined;
  let best: string | undefined;
  for (const candidate of candidates) {
    if (candidate === text || Math.abs(candidate.length - text.length) > bound) continue;
    const distance = editDistance(text.toLowerCase(), candidate.toLowerCase());
    if (distance < bound || (distance === bound && best === undefined)) {
      best = candidate;
      bound = distance;
    }
  }
  return best;
}

/** The end of a message: `; did you mean "…"?`, or an empty text. */
export function didYouMean(text: unknown, candidates: Iterable<string>): string {
  const suggestion = typeof text === 'string' ? closest(text, candidates) : undefined;
  return suggestion === undefined ? '' : `; did you mean ${JSON.stringify(suggestion)}?`;
}

/** Optimal string alignment distance: Levenshtein, with two swapped neighbours as one mistake. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
