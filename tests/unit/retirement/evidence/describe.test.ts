import { describe, expect, it } from 'vitest';
import { describePast } from '../../../../src/retirement/evidence/describe.ts';
import type { TunnelHistory } from '../../../../src/retirement/evidence/history.ts';

const NOW = Date.UTC(2026, 6, 20, 10);

/** A tunnel that was up from `seconds` ago until now. */
const upFor = (seconds: number): TunnelHistory => {
  const times = { from: NOW - seconds * 1_000, until: NOW };
  return {
    spans: [{ ...times, state: 'up', serving: true, listening: true, begins: true }],
  } as unknown as TunnelHistory;
};

describe('what the evidence tells about a tunnel', () => {
  it('has no availability below a minute of observation', () => {
    const { availability, observed_since } = describePast(upFor(59), NOW);
    expect(Object.values(availability)).toEqual([null, null, null, null]);
    expect(observed_since).toEqual(new Date(NOW - 59_000));
  });

  it('has the availability from a minute on', () => {
    expect(describePast(upFor(60), NOW).availability).toEqual({ '1h': 1, '24h': 1, '7d': 1, '30d': 1 });
  });

  it('has nothing for a tunnel that was never watched', () => {
    const past = describePast({ spans: [] } as unknown as TunnelHistory, NOW);
    expect([past.observed_since, past.availability['24h']]).toEqual([null, null]);
  });
});
