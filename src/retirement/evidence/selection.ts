import { z } from 'zod';
import { parseDuration } from '../../config/duration.ts';
import type { Entry } from './entry.ts';
import { tunnelsOf } from './tunnels-of.ts';

/** A selection of entries. */
export interface Selection {
  readonly since?: Date | undefined;
  readonly tunnel?: string | undefined;
}

export const SINCE_EXPECTED = 'a time such as 2026-07-20T10:00:00Z, or a span before now such as 30m, 24h or 7d';

const time = z.iso.datetime({ offset: true });

/** Parses {@link SINCE_EXPECTED}; undefined for anything else. */
export function parseSince(text: string, now: Date): Date | undefined {
  const spanMs = parseDuration(text);
  if (spanMs !== undefined) return new Date(now.getTime() - spanMs);
  return time.safeParse(text).success ? new Date(text) : undefined;
}

/** Whether an entry matches the selection. */
export function isSelected(entry: Entry, { since, tunnel }: Selection): boolean {
  if (since !== undefined && entry.at < since.toISOString()) return false;
  return tunnel === undefined || tunnelsOf(entry).includes(tunnel);
}
