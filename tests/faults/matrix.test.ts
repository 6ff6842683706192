import { describe } from 'vitest';
import { HERE_ROWS } from './here-rows.ts';
import { OUTAGE_ROWS } from './outage-rows.ts';
import { playAll } from './play-all.ts';
import { TARGET_ROWS } from './target-rows.ts';

describe('no session is left', () => playAll(OUTAGE_ROWS, { together: true }));
describe('server or target say no', () => playAll(TARGET_ROWS, { together: true }));
describe('something is wrong here', () => playAll(HERE_ROWS, { together: true }));
