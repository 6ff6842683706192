import { describe, expect, it } from 'vitest';
import { statusLine } from '../../../../src/machine/systemd/status-line.ts';
import { ago, linkFixture, statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const { credential } = linkFixture();
const renewedIn = (seconds: number) => linkFixture({ credential: { ...credential, renew_at: ago(-seconds) } });

describe('the line of systemctl status', () => {
  it.each([
    ['2/2 up', { tunnels: [tunnelFixture(), tunnelFixture()] }],
    ['no tunnels configured', { tunnels: [] }],
    [
      '1/2 up, hub is down: nobody listens',
      { tunnels: [tunnelFixture(), tunnelFixture({ name: 'hub', state: 'down', reason: 'nobody listens' })] },
    ],
    ['1/1 up', { tunnels: [tunnelFixture(), tunnelFixture({ state: 'draining' })] }],
    ['1/1 up, cert renews in 4h', { links: [renewedIn(7 * 86_400), renewedIn(4 * 3_600 + 20)] }],
    ['1/1 up, cert renewal is due', { links: [renewedIn(-5)] }],
    ['1/1 up, sessions cannot be replaced', { reason: 'sessions cannot be replaced' }],
    [
      '0/1 up, 1 out of service by an operator: hub',
      { tunnels: [tunnelFixture({ state: 'stopped' })], reason: '1 out of service by an operator: hub' },
    ],
    ['stopping, 2 connections still open', { tunnels: [tunnelFixture({ state: 'stopped' })] }],
  ])('shows in systemctl status: %s', (line, changes) => {
    expect(statusLine(statusFixture(changes))).toBe(line);
  });
});
