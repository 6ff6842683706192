import { describe } from 'vitest';
import { playAll } from './play-all.ts';
import { SHOWN_ROWS } from './shown-rows.ts';

const [rolling, ...long] = SHOWN_ROWS;

describe('issue 3, shown by', () => {
  if (rolling) playAll([rolling]);
  playAll(long, { together: true });
});
