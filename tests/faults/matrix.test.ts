import { describe } from 'vitest';
import { HERE_ROWS } from './here-rows.ts';
import { NAME_ROWS } from './name-rows.ts';
import { OUTAGE_ROWS } from './outage-rows.ts';
import { playAll } from './play-all.ts';
import { REMOTE_ROWS } from './remote-rows.ts';
import { SHOWN_ROWS } from './shown-rows.ts';
import { TARGET_ROWS } from './target-rows.ts';
import { WAY_ROWS } from './way-rows.ts';

/** Together: none of these bounds how slow a request may be. Those that have to wait long come first. */
const ROWS = [...SHOWN_ROWS, ...OUTAGE_ROWS, ...REMOTE_ROWS, ...WAY_ROWS, ...TARGET_ROWS, ...HERE_ROWS, ...NAME_ROWS];

describe('the fault matrix', () => playAll(ROWS, { together: true }));
