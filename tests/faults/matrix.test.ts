import { describe } from 'vitest';
import { HERE_ROWS } from './here-rows.ts';
import { NAME_ROWS } from './name-rows.ts';
import { OUTAGE_ROWS } from './outage-rows.ts';
import { playAll } from './play-all.ts';
import { TARGET_ROWS } from './target-rows.ts';

/** Together: none of these bounds how slow a request may be, and one of them has to wait for more than a minute. */
describe('the fault matrix', () =>
  playAll([...OUTAGE_ROWS, ...TARGET_ROWS, ...HERE_ROWS, ...NAME_ROWS], { together: true }));
