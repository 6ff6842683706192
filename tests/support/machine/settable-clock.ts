import { writeFileSync } from 'node:fs';
import { findFile } from './find-program.ts';

/** The paths of libfaketime in Debian and others. */
const LIBFAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/faketime/libfaketimeMT.so.1',
];

/** The wall clock of a command and its children; the monotonic clock is left alone. */
export interface SettableClock {
  /** Starts the command from its arguments. */
  readonly wrapper: readonly string[];
  /** Sets the clock this far from the right time, as libfaketime writes: `+0`, `-2h`. */
  set(offset: string): void;
}

/** @param file holds the offset, read again at each look at the clock */
export function settableClock(file: string, offset = '+0'): SettableClock {
  const set = (to: string) => writeFileSync(file, `${to}\n`);
  set(offset);
  return {
    set,
    wrapper: [
      'env',
      `LD_PRELOAD=${findFile(LIBFAKETIME) ?? ''}`,
      `FAKETIME_TIMESTAMP_FILE=${file}`,
      'FAKETIME_NO_CACHE=1',
      'DONT_FAKE_MONOTONIC=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
    ],
  };
}
