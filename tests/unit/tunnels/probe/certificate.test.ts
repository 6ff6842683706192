import { describe, expect, test } from 'vitest';
import { probeCertificateAdvisories } from '../../../../src/tunnels/probe/certificate.ts';
import { serverNameOf } from '../../../../src/tunnels/probe/tls.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-03-01T00:00:00Z');

const advised = (lifeDays: number, leftDays: number) => {
  const valid_before = new Date(NOW.getTime() + leftDays * DAY_MS);
  const valid_after = new Date(valid_before.getTime() - lifeDays * DAY_MS);
  const tunnel = { name: 'hub', probe_certificate: { seen_at: 'target', valid_after, valid_before } } as const;
  return probeCertificateAdvisories([tunnel], NOW);
};

describe('the advisory about a certificate', () => {
  test.each([
    [365, 15, false],
    [365, 14, true],
    [90, 30, false],
    [47, 9.5, false],
    [47, 9.3, true],
    [1, 0.3, false],
    [1, 0.1, true],
  ])('judges a life of %s days with %s days left: %s', (life, left, near) => {
    expect(advised(life, left)).toHaveLength(near ? 1 : 0);
  });

  test('names the tunnel and the moment, and changes its wording only at the expiry', () => {
    expect(advised(90, 2)[0]?.message).toBe(
      'the TLS certificate of the target of hub expires at 2026-03-03T00:00:00.000Z',
    );
    expect(advised(90, -1)[0]?.message).toContain('expired at 2026-02-28');
  });
});

test.each([
  [{ serverName: 'a.example', host: 'b.example' }, 'a.example'],
  [{ serverName: undefined, host: 'b.example:8443' }, 'b.example'],
  [{ serverName: undefined, host: '[::1]:8443' }, '::1'],
  [{ serverName: undefined, host: undefined }, 'c.example'],
])('takes the name of the certificate from %j', (settings, name) => {
  expect(serverNameOf({ kind: 'tcp', host: 'c.example', port: 443 }, { ca: undefined, ...settings })).toBe(name);
});
