import { describe } from 'vitest';
import { SWITCH_ROWS } from './link-rows.ts';
import { playAll } from './play-all.ts';
import { ROLLING_ROW } from './shown-rows.ts';

/** One after the other: these rows measure the time of requests and must not slow each other. */
describe('one of two sessions fails', () => playAll([...SWITCH_ROWS, ROLLING_ROW]));
