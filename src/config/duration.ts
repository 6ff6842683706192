const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** How a duration is written: a whole number and its unit. Nine digits keep every value an exact number of milliseconds. */
export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h|d)$/;

/** What error messages say where a duration is missing. */
export const DURATION_EXPECTED = 'a duration such as 500ms, 10s, 5m, 24h or 7d';

/** A written duration in milliseconds; undefined when the text is not {@link DURATION_EXPECTED}. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = DURATION_PATTERN.exec(text) ?? [];
  if (amount === undefined || !isUnit(unit)) return undefined;
  return Number(amount) * UNIT_MS[unit];
}

/** Milliseconds as a person would write them: in the largest unit that takes no fraction. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const units: Unit[] = ['d', 'h', 'm', 's'];
  const unit = units.find((candidate) => ms % UNIT_MS[candidate] === 0) ?? 'ms';
  return `${ms / UNIT_MS[unit]}${unit}`;
}

function isUnit(text: string | undefined): text is Unit {
  return text !== undefined && Object.hasOwn(UNIT_MS, text);
}
