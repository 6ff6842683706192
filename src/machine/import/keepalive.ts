import { formatDuration } from '../../config/duration.ts';
import { note, type Remark } from './entry.ts';

const LONGEST_MS = 300_000;
const MOST_INTERVALS = 100;
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** Seconds of a time in ssh_config(5), TIME FORMATS: `90`, `1m30s`. Undefined for other text. */
export function parseSeconds(text: string): number | undefined {
  if (!/^(?:\d+[smhdw]?)+$/i.test(text)) return undefined;
  const parts = text.toLowerCase().matchAll(/(\d+)([smhdw]?)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit || 's'] ?? 1), 0);
}

export interface KeepaliveDraft {
  readonly every: string;
  readonly lost_after: number | undefined;
}

/**
 * The keepalive with the same time of silence as ssh: ServerAliveInterval seconds, times ServerAliveCountMax. An interval
 * over the limit of the YAML is divided; the interval never grows. A remark names each change.
 */
export function keepaliveOf(intervalS: number, count: number): { keepalive: KeepaliveDraft; remarks: Remark[] } {
  // With ServerAliveCountMax=0, ssh ends the session at the first silent interval.
  const silenceMs = intervalS * 1_000 * Math.max(1, count);
  const fits = intervalS * 1_000 <= LONGEST_MS && count >= 1 && count <= MOST_INTERVALS;
  const wanted = Math.ceil(silenceMs / Math.min(intervalS * 1_000, LONGEST_MS));
  const lostAfter = fits ? count : Math.min(MOST_INTERVALS, wanted);
  const everyMs = fits ? intervalS * 1_000 : Math.min(intervalS * 1_000, LONGEST_MS, Math.round(silenceMs / wanted));
  const keepalive = { every: formatDuration(everyMs), lost_after: lostAfter === 3 ? undefined : lostAfter };
  if (fits) return { keepalive, remarks: [] };
  const bound = `${formatDuration(everyMs)} × ${lostAfter}`;
  const text =
    everyMs * lostAfter >= silenceMs - lostAfter
      ? `ServerAliveInterval=${intervalS} and ServerAliveCountMax=${count} become ${bound}: the same time of silence.`
      : `ServerAliveInterval=${intervalS} and ServerAliveCountMax=${count} become ${bound}, the longest silence that fleet-mesh allows at this interval.`;
  return { keepalive, remarks: [note(text)] };
}

/** ConnectTimeout within the limit of the YAML. A remark names the change. */
export function connectTimeoutOf(wantedS: number): { timeout: string; remarks: Remark[] } {
  const timeout = formatDuration(Math.min(wantedS * 1_000, LONGEST_MS));
  if (wantedS * 1_000 <= LONGEST_MS) return { timeout, remarks: [] };
  return {
    timeout,
    remarks: [note(`ConnectTimeout=${wantedS} becomes ${timeout}, the longest time that fleet-mesh allows.`)],
  };
}
