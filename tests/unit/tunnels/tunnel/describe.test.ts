import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { TunnelConfig } from '../../../../src/config/config.ts';
import { Usage } from '../../../../src/tunnels/forward/usage.ts';
import { describeTunnel } from '../../../../src/tunnels/tunnel/describe.ts';

const config: TunnelConfig = {
  name: 'db',
  host: 'gate',
  actor: 'operator',
  direction: 'local',
  listen: { kind: 'tcp', host: '127.0.0.1', port: 5432 },
  target: { kind: 'unix', path: '/run/db' },
  production: true,
  note: undefined,
  whileDown: { kind: 'refuse' },
  maxConnections: 8,
  probe: undefined,
};
const facts = {
  state: { state: 'up', reason: null, error: undefined },
  since: new Date(0),
  condition: { kind: 'serving', listenBy: 'daemon' },
  detour: false,
  lastError: undefined,
  probe: undefined,
  validity: undefined,
  usage: new Usage().status(),
} as const;
const own = new TunnelError('target_refused', 'refused');
const earlier = new TunnelError('keepalive_lost', 'silent');

describe(describeTunnel, () => {
  it('shows addresses as text, and missing values as null', () => {
    expect(describeTunnel(config, facts)).toMatchObject({
      listen: '127.0.0.1:5432',
      listen_by: 'daemon',
      target: 'unix:/run/db',
      note: null,
      route: 'tunnel',
      last_error: null,
      probe: null,
      probe_certificate: null,
    });
  });

  it('shows no listener while the listener is not bound', () => {
    expect(describeTunnel(config, { ...facts, condition: { kind: 'unbound', error: own } }).listen_by).toBeNull();
  });

  it('shows the error of the state before an earlier one', () => {
    const state = { state: 'degraded', reason: 'refused', error: own } as const;
    const shown = [
      describeTunnel(config, { ...facts, state, lastError: earlier }),
      describeTunnel(config, { ...facts, lastError: earlier }),
    ];
    expect(shown.map(({ last_error }) => last_error?.code)).toEqual(['target_refused', 'keepalive_lost']);
  });

  it('shows the route of the clients', () => {
    expect(describeTunnel(config, { ...facts, detour: true }).route).toBe('successor');
  });
});
