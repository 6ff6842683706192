import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chainEntry, GENESIS, hashLine, parseEntry } from '../../src/retirement/evidence/entry.ts';
import { CURRENT } from '../../src/retirement/evidence/files.ts';

/** The daemon rotates a larger file, in bytes. */
const ROTATE_BYTES = 16 * 1024 * 1024;
const ENTRY_BYTES = 1024 * 1024;

/**
 * Lets the log of a daemon that does not run grow until the next run rotates it, with entries that continue the chain. Does
 * nothing to a log whose last line is torn. Returns whether the log has grown.
 */
export function padLog(stateDir: string, roomBytes: number): boolean {
  const path = join(stateDir, CURRENT);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (text !== '' && !text.endsWith('\n')) return false;
  const last = text.split('\n').at(-2);
  const entry = last === undefined ? undefined : parseEntry(last);
  if (last !== undefined && !entry) return false;
  let [seq, prev] = [entry?.seq ?? 0, last === undefined ? GENESIS : hashLine(last)];
  for (let left = ROTATE_BYTES - roomBytes - Buffer.byteLength(text); left > 1_000; ) {
    const fill = 'x'.repeat(Math.min(ENTRY_BYTES, left) - 300);
    const line = JSON.stringify(chainEntry({ at: new Date(), uptimeMs: 0, event: 'drill.padding', fill }, ++seq, prev));
    appendFileSync(path, `${line}\n`);
    prev = hashLine(line);
    left = ROTATE_BYTES - roomBytes - statSync(path).size;
  }
  return true;
}

/** Leaves the beginning of a further line at the end of the log, as a write that was cut. Returns whether there is a log. */
export function tearLog(stateDir: string): boolean {
  const path = join(stateDir, CURRENT);
  if (!existsSync(path)) return false;
  appendFileSync(path, '{"seq":1000000,"at":"2026-');
  return true;
}
