/** A calendar day, or an RFC 3339 instant with its zone. */
export const MOMENT_PATTERN =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/;

const DAY_MS = 86_400_000;

/** The instant of a moment, in milliseconds since the epoch; a day begins at midnight UTC. Undefined for invalid text. */
export function instantMs(written: string): number | undefined {
  if (!MOMENT_PATTERN.test(written)) return undefined;
  const day = written.slice(0, 10);
  // Date.parse turns 30 February into 2 March.
  if (new Date(Date.parse(day)).toISOString().slice(0, 10) !== day) return undefined;
  return Date.parse(written);
}

/** The first instant after a moment: a day lasts until midnight UTC, an instant ends at once. */
export function endMs(written: string): number {
  const begins = instantMs(written);
  if (begins === undefined) throw new Error(`not a moment: ${written}`);
  return written.length === 'YYYY-MM-DD'.length ? begins + DAY_MS : begins;
}
