/** The figures of one row over one way, one for each round. */
export type Series = readonly number[];

export function median(values: Series): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The distance between the largest and the smallest figure, as a part of the median. */
export function spread(values: Series): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** The median of the ratios of each round: a busy moment of the machine slows both sides of a round. */
export function ratio(ours: Series, theirs: Series): number {
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

/** Three digits are as many as a measurement supports. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 100) return Math.round(Number(value.toPrecision(3))).toLocaleString('en');
  return `${Number(value.toPrecision(value < 10 ? 2 : 3))}`;
}
