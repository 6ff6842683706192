const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** A whole number and a unit. At most nine digits, so that every value is an exact number of milliseconds. */
export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h|d)$/;

/** The expected form, for messages. */
export const DURATION_EXPECTED = 'a duration such as 500ms, 10s, 5m, 24h or 7d';

/** Parses a duration to milliseconds; undefined if the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = DURATION_PATTERN.exec(text) ?? [];
  if (amount === undefined || !isUnit(unit)) return undefined;
  return Number(amount) * UNIT_MS[unit];
}

/** Formats milliseconds in the largest unit without a fraction. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const units: Unit[] = ['d', 'h', 'm', 's'];
  const unit = units.find((candidate) => ms % UNIT_MS[candidate] === 0) ?? 'ms';
  return `${ms / UNIT_MS[unit]}${unit}`;
}

function isUnit(text: string | undefined): text is Unit {
  return text !== undefined && Object.hasOwn(UNIT_MS, text);
}
