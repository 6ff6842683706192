import { describe, it } from 'vitest';
import { has } from '../support/machine/capabilities.ts';
import { chaos } from './chaos.ts';
import { HERE_ROWS } from './here-rows.ts';
import { NAME_ROWS } from './name-rows.ts';
import { OUTAGE_ROWS } from './outage-rows.ts';
import { playAll } from './play-all.ts';
import { REMOTE_ROWS } from './remote-rows.ts';
import { SHOWN_ROWS } from './shown-rows.ts';
import { TARGET_ROWS } from './target-rows.ts';
import { WAY_ROWS } from './way-rows.ts';

/** Long rows come first. */
const ROWS = [...SHOWN_ROWS, ...OUTAGE_ROWS, ...REMOTE_ROWS, ...WAY_ROWS, ...TARGET_ROWS, ...HERE_ROWS, ...NAME_ROWS];

/** At once: these rows do not measure the time of requests, and the longest waits more than a minute. */
describe('the fault matrix', () => {
  it.skipIf(!has('sshd') || !has('python3')).concurrent('loses nothing avoidable in a minute of chaos (seed 1)', () =>
    chaos(1, 1),
  );
  playAll(ROWS, { together: true });
});
