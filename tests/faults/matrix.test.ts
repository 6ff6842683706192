import { describe, it } from 'vitest';
import { has } from '../support/machine/capabilities.ts';
import { chaos } from './chaos.ts';
import { playAll } from './play-all.ts';
import { ROWS_AT_ONCE } from './rows.ts';

/** At once: these rows do not measure the time of requests, and the longest waits more than a minute. */
describe('the fault matrix', () => {
  it.skipIf(!has('sshd') || !has('python3')).concurrent('loses nothing avoidable in a minute of chaos (seed 1)', () =>
    chaos(1, 1),
  );
  playAll(ROWS_AT_ONCE, { together: true });
});
