import { describe, expect, it } from 'vitest';
import type { TunnelConfig } from '../../../../src/config/config.ts';
import { watchedHistory } from '../../../../src/retirement/drain/watched.ts';
import type { TunnelHistory } from '../../../../src/retirement/evidence/history.ts';
import { configOf, HUB } from '../../../support/simulation/fleet.ts';

const HISTORY: TunnelHistory = {
  spans: [{ from: 0, until: 9, state: 'up', serving: true, listening: true, begins: true }],
  lastActivityAt: 5,
};
const hub = (variant: Parameters<typeof configOf>[0]): TunnelConfig | undefined => configOf(variant).tunnels.get(HUB);

describe(watchedHistory, () => {
  it('is the history of the tunnel that runs as configured, whatever else of it changed', () => {
    expect(watchedHistory(hub('first'), hub('first'), HISTORY)).toBe(HISTORY);
    expect(watchedHistory(hub('second'), hub('first'), HISTORY)).toBe(HISTORY);
    expect(watchedHistory(hub('first'), hub('first'), undefined)).toBeUndefined();
  });

  it.each(['moved', 'retargeted', 'rehosted', 'heir'] as const)(
    'has no watched time while a reload to "%s" has not reached the tunnels',
    (variant) => {
      expect(watchedHistory(hub(variant), hub('first'), HISTORY)).toEqual({ spans: [], lastActivityAt: 5 });
    },
  );
});
