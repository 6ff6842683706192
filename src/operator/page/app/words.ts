import { formatSpan } from '../../../base/text/span.ts';

/** Characters that hide or reorder text: shown as a box, so that a foreign name cannot imitate another one. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A foreign text for the page. */
export function shown(text: string): string {
  return text.replace(INVISIBLE, '\u25a1');
}

/** The time from `time` to `now`: `2d 3h`. */
export function since(time: string, now: number): string {
  return formatSpan(now - Date.parse(time));
}

/** The time from `now` to `time`: `3h 20m`; `expired` for a past time. */
export function until(time: string, now: number): string {
  const ms = Date.parse(time) - now;
  return ms <= 0 ? 'expired' : formatSpan(ms);
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = count < 1_000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1_000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** Local time of an event: time for today, date and time before. */
export function clock(time: string, now: number): string {
  const at = new Date(time);
  const isToday = new Date(now).toDateString() === at.toDateString();
  return isToday ? at.toLocaleTimeString() : at.toLocaleString();
}

export function percent(share: number): string {
  return `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A reason of the daemon as a sentence of its own. */
export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
