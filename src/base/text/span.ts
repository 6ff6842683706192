const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'm', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const;

/** A duration for people, in its two largest units: `2d 3h`, `5m`, `12s`. A negative duration is `0s`. */
export function formatSpan(ms: number): string {
  let rest = Math.max(0, ms);
  const parts = UNITS.map(({ name, ms: unit }) => {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    return { name, count };
  });
  const first = parts.findIndex(({ count }) => count > 0);
  if (first === -1) return '0s';
  const shown = parts.slice(first, first + 2).filter(({ count }) => count > 0);
  return shown.map(({ name, count }) => `${count}${name}`).join(' ');
}

/** The time from `earlier` to `later`, for people. */
export function spanBetween(earlier: Date, later: Date): string {
  return formatSpan(later.getTime() - earlier.getTime());
}
