import { describe } from 'vitest';
import { playAll } from './play-all.ts';
import { ROWS_IN_TURN } from './rows.ts';

describe('one of two sessions fails', () => playAll(ROWS_IN_TURN));
