import { describe, expect, it } from 'vitest';
import { assembleTunnel, type TunnelParts } from '../../../src/daemon/snapshot.ts';
import { ago, tunnelFixture } from '../../support/fakes/status-fixture.ts';

const { cutover: _, availability: __, retirement: ___, observed_since: ____, usage, ...rest } = tunnelFixture();
const { quiet_since: _quiet, clients: _clients, other_clients: _others, ...counts } = usage;

const assembled = (changes: Partial<TunnelParts> = {}) =>
  assembleTunnel({
    own: { ...rest, usage: counts },
    cutover: null,
    past: { last_activity_at: ago(600), observed_since: ago(900), availability: { '1h': 1 } },
    clients: { clients: [], other_clients: null },
    successorCertificate: null,
    retirement: null,
    ...changes,
  });

const idle = { ...rest, usage: { ...counts, open: 0, held: 0 } };

describe('a row of the snapshot', () => {
  it('takes the last use from this run or the evidence, whichever is later', () => {
    expect(assembled().usage.last_activity_at).toEqual(ago(30));
    const past = { last_activity_at: ago(10), observed_since: ago(60), availability: {} };
    expect(assembled({ past }).usage.last_activity_at).toEqual(ago(10));
  });

  it('is quiet since the last use if no client is open or held', () => {
    expect(assembled().usage.quiet_since).toBeNull();
    expect(assembled({ own: idle }).usage.quiet_since).toEqual(ago(30));
    expect(assembled({ own: { ...idle, usage: { ...idle.usage, held: 1 } } }).usage.quiet_since).toBeNull();
  });

  it('has no quiet time and no availability until the evidence is read', () => {
    const row = assembled({ own: idle, past: undefined });
    expect([row.usage.quiet_since, row.availability]).toEqual([null, null]);
    expect(row.usage.last_activity_at).toEqual(ago(30));
  });

  it('has the certificate of the target or the successor that expires first', () => {
    const certificate = (seen_at: 'target' | 'successor', days: number) => {
      return { seen_at, valid_after: ago(60), valid_before: ago(-86_400 * days) };
    };
    const own = { ...rest, usage: counts, probe_certificate: certificate('target', 30) };
    expect(assembled({ own }).probe_certificate).toEqual(certificate('target', 30));
    const successorCertificate = certificate('successor', 20);
    expect(assembled({ own, successorCertificate }).probe_certificate).toEqual(successorCertificate);
    expect(assembled({ successorCertificate }).probe_certificate).toEqual(successorCertificate);
    expect(assembled().probe_certificate).toBeNull();
  });

  it('has no clients if they are on the far side', () => {
    expect(assembled({ clients: undefined }).usage.clients).toBeNull();
  });

  it('never counts use of the successor as use of the tunnel', () => {
    const cutover = { phase: 'committed', since: ago(60), reason: null, successor: 'here:1', usage: counts } as const;
    const row = assembled({ own: idle, cutover });
    expect(row.usage.open).toBe(0);
    expect(row.cutover?.usage).toEqual({ ...counts, quiet_since: null, clients: null, other_clients: null });
  });
});
