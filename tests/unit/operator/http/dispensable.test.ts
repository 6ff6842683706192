import { describe, expect, it } from 'vitest';
import { mostDispensable } from '../../../../src/operator/http/dispensable.ts';

const NOW = 10_000;
const seat = (name: string, since: number, kind: 'idle' | 'unread' | 'busy') => ({
  name,
  since,
  idle: kind === 'idle',
  unread: kind === 'unread',
});

describe(mostDispensable, () => {
  it.each([
    ['nothing among no connections', [], undefined],
    ['no connection with an answer under way', [seat('a', 0, 'busy')], undefined],
    [
      'the connection that is idle for longest',
      [seat('a', 5, 'idle'), seat('b', 2, 'idle'), seat('c', 9, 'idle')],
      'b',
    ],
    ['an idle connection before an unread answer', [seat('a', 0, 'unread'), seat('b', 9_999, 'idle')], 'b'],
    ['the oldest unread answer', [seat('a', 0, 'busy'), seat('b', 8_000, 'unread'), seat('c', 5, 'unread')], 'c'],
    ['no answer that its client has just begun to read', [seat('a', 9_500, 'unread')], undefined],
  ])('chooses %s', (_, seats, expected) => {
    expect(mostDispensable(seats, NOW)?.name).toBe(expected);
  });
});
