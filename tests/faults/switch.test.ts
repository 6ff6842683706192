import { describe, it } from 'vitest';
import { has } from '../support/capabilities.ts';
import { SWITCH_ROWS } from './link-rows.ts';
import { play } from './play.ts';

/** One after the other: these bound how slow a request may be, and must not starve each other. */
describe.skipIf(!has('sshd') || !has('python3'))('one of two sessions fails', () => {
  it.for(SWITCH_ROWS)('$fault', (row) => play(row));
});
