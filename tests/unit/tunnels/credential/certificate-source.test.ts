import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { ActorConfig } from '../../../../src/config/config.ts';
import { CertificateSource } from '../../../../src/tunnels/credential/certificate-source.ts';
import { NeedRecord } from '../../../../src/tunnels/credential/need-record.ts';
import type { Need } from '../../../../src/tunnels/credential/offer.ts';
import { PlainKeySource } from '../../../../src/tunnels/credential/plain-key.ts';
import { parseCertificate } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import { parsePrivateKey } from '../../../../src/tunnels/ssh/private-key.ts';
import { buildCertificate, lineOf } from '../../../support/certificates/built-certificate.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { FakeIssuer } from '../../../support/fakes/fake-issuer.ts';
import { actorPolicy, recordingLogger } from '../../../support/fakes/fake-link.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NEED: Need = { refused: [], serving: false, attemptMs: 10_000 };

let temp: TempDir;
let issuer: FakeIssuer;
let actor: ActorConfig;
let version: number;
let source: CertificateSource;
let stop: AbortController;
let publicKey: Buffer;

beforeEach(() => {
  temp = tempDir('certificate-source');
  issuer = new FakeIssuer();
  stop = new AbortController();
  version = 1;
  const key = keyFile('key');
  publicKey = parsePrivateKey(readFileSync(key.path), undefined)?.key.getPublicSSH() ?? Buffer.alloc(0);
  actor = {
    ...actorPolicy,
    name: 'atm-fleet-mesh',
    key,
    certCommand: { argv: ['sign'], timeoutMs: 30_000, workingDirectory: '/' },
  };
  const context = {
    actor: () => actor,
    version: () => version,
    supersede: () => version++,
    doubt: () => {},
    env: {},
    signal: stop.signal,
  };
  const log = recordingLogger([]);
  source = new CertificateSource(context, new PlainKeySource(context), {
    issuer,
    record: new NeedRecord(join(temp.path, 'state'), actor.name, log),
    metrics: { certificateRenewals: { inc: () => {} } as never },
    log,
    note: () => {},
    random: () => 0.5,
  });
});
afterEach(async () => {
  stop.abort();
  await source.stopped();
  temp[Symbol.dispose]();
});

function keyFile(name: string) {
  const path = join(temp.path, name);
  writeFileSync(path, generatedKey().private, { mode: 0o600 });
  return { kind: 'file', path, passphraseFile: undefined } as const;
}

function reload(changes: Partial<ActorConfig>): void {
  const before = actor;
  actor = { ...actor, ...changes };
  source.reconfigure(before, actor);
}

const serial = async (need: Partial<Need> = {}) => {
  const { credential } = await source.current({ ...NEED, ...need });
  return credential.type === 'certificate' ? Number(credential.certificate.serial) : credential.type;
};

describe('current', () => {
  test('runs cert_command once for all concurrent requests of the first certificate', async () => {
    expect(await Promise.all([serial(), serial(), serial()])).toEqual([1, 1, 1]);
    expect(issuer.saved?.serial).toBe(1n);
    expect(version).toBe(2);
    expect(source.renewal).toMatchObject({ running: undefined, failures: 0, error: undefined });
  });

  test('does not immediately renew a backdated certificate', async () => {
    issuer.validFor = [-2 * MINUTE, 7_000];
    for (let i = 0; i < 5; i++) await serial();
    expect(issuer.runs).toBe(1);
  });

  test('offers a certificate although saving fails', async () => {
    issuer.keeping = new TunnelError('state_dir_unusable', 'read-only');
    expect(await serial()).toBe(1);
    expect(source.renewal).toMatchObject({ failures: 0, error: { code: 'state_dir_unusable' } });
  });

  test('offers the saved certificate without running cert_command', async () => {
    issuer.before = issuer.certify(publicKey, [-30 * MINUTE, 30 * MINUTE]);
    expect(await serial()).toBe(0);
    expect(issuer.runs).toBe(0);
  });

  test.each(['expired', 'unreadable', 'of another key'])('replaces a saved certificate that is %s', async (what) => {
    if (what === 'expired') issuer.before = issuer.certify(publicKey, [-HOUR, -MINUTE]);
    if (what === 'of another key') issuer.before = parseCertificate(lineOf(buildCertificate()));
    if (what === 'unreadable') issuer.unreadable = new TunnelError('state_dir_unusable', 'permission denied');
    expect(await serial()).toBe(1);
  });

  test('reports that no certificate came yet when a reload overtakes the first run', async () => {
    const { issue } = issuer;
    issuer.issue = async (...asked) => {
      const issued = await issue.apply(issuer, asked);
      reload({ key: keyFile('other') });
      return issued;
    };
    await expect(source.current(NEED)).rejects.toMatchObject({
      code: 'cert_command_failed',
      message: 'no certificate for atm-fleet-mesh yet',
    });
    expect(source.renewal.failures).toBe(0);
  });
});

describe('a certificate that a server rejects', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('renews a rejected certificate early once, and not again for a while', async () => {
    const { facts } = await source.current(NEED);
    expect(await serial({ refused: [facts.id] })).toBe(2);
    const second = await source.current(NEED);
    expect(await serial({ refused: [facts.id, second.facts.id] })).toBe(2);
    expect(issuer.runs).toBe(2);
  });

  test('renews a certificate that stays rejected after longer and longer pauses: the CA may be right by now', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const refused = [(await source.current(NEED)).facts.id];
    const renewedAt: number[] = [];
    for (let minute = 0; minute < 40; minute++) {
      const { facts } = await source.current({ ...NEED, refused });
      if (!refused.includes(facts.id)) renewedAt.push(minute);
      refused.push(facts.id);
      vi.advanceTimersByTime(MINUTE);
    }
    expect(renewedAt).toEqual([0, 1, 3, 7, 15, 25, 35]);
  });

  test('offers the fallback for a rejected certificate, unless the link serves already', async () => {
    actor = { ...actor, fallback: { key: keyFile('fallback'), exception: 'documented' } };
    const first = await source.current(NEED);
    const second = await source.current({ ...NEED, refused: [first.facts.id] });
    const refused = [first.facts.id, second.facts.id];
    expect(await serial({ refused, serving: true })).toBe(2);
    const { facts } = await source.current({ ...NEED, refused });
    expect(facts).toMatchObject({ type: 'static_key', standIn: { code: 'auth_rejected' } });
    expect(facts.standIn?.message).toContain('documented');
  });
});

describe('a certificate and a clock that is set', () => {
  /** Only the wall clock. */
  const setClock = (ms: number) => {
    const to = Date.now() + ms;
    vi.useFakeTimers({ toFake: ['Date'], now: to });
  };
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    ['back, before its start', -2 * HOUR],
    ['forward, beyond its end', 2 * HOUR],
  ])('renews the certificate before its next use when the clock is set %s', async (_, ms) => {
    await serial();
    setClock(ms);
    expect(await serial()).toBe(2);
  });

  test.each([
    ['back', -2 * HOUR],
    ['forward', 2 * HOUR],
  ])('renews the certificate without a login when the clock is set %s', async (_, ms) => {
    await serial();
    setClock(ms);
    await source.lookAfter(false);
    expect(issuer.runs).toBe(2);
  });

  test('reports cert_not_yet_valid when every certificate is', async () => {
    await serial();
    setClock(-2 * HOUR);
    issuer.validFor = [2 * HOUR, 3 * HOUR];
    await expect(serial()).rejects.toMatchObject({ code: 'cert_not_yet_valid' });
  });

  test('keeps a certificate that the clock is against, and offers it when the clock is right', async () => {
    await serial();
    setClock(-2 * HOUR);
    issuer.failure = new TunnelError('cert_command_failed', 'the CA is down');
    await expect(serial()).rejects.toMatchObject({ code: 'cert_command_failed' });
    reload({ drainTimeoutMs: 1 });
    setClock(2 * HOUR);
    expect(await serial()).toBe(1);
  });

  test.each([
    ['not valid yet', [2 * HOUR, 3 * HOUR], 2.5 * HOUR],
    ['expired', [-3 * HOUR, -2 * HOUR], -2.5 * HOUR],
  ] as const)(
    'offers a saved certificate, %s by a wrong clock at the start, when the clock is right',
    async (_, validFor, ms) => {
      issuer.before = issuer.certify(publicKey, validFor);
      issuer.failure = new TunnelError('cert_command_failed', 'the CA is down');
      await expect(serial()).rejects.toMatchObject({ code: 'cert_command_failed' });
      setClock(ms);
      expect(await serial()).toBe(0);
    },
  );

  test('renews a rejected certificate early once more after the clock is set', async () => {
    const { facts } = await source.current(NEED);
    const second = await source.current({ ...NEED, refused: [facts.id] });
    const refused = [facts.id, second.facts.id];
    expect(await serial({ refused })).toBe(2);
    setClock(-30_000);
    expect(await serial({ refused })).toBe(3);
  });
});

describe('reconfigure', () => {
  test('drops a certificate that lacks a principal of the new settings', async () => {
    await serial();
    reload({ principals: ['somebody-else'] });
    await expect(serial()).rejects.toMatchObject({ code: 'cert_wrong_principal' });
  });

  test('drops a certificate without a required principal also when renew_after changes', async () => {
    await serial();
    reload({ principals: ['somebody-else'], renewAfter: 0.9 });
    expect(source.held).toBeUndefined();
  });

  test('drops a certificate of another key, and gets one for the new key', async () => {
    const before = await source.current(NEED);
    reload({ key: keyFile('other') });
    const after = await source.current(NEED);
    expect(after.facts.fingerprint).not.toBe(before.facts.fingerprint);
    expect(after.facts.version).toBeGreaterThan(before.facts.version);
  });

  test('keeps the certificate and plans a new renewal time when only renew_after changes', async () => {
    await serial();
    const id = source.held?.id;
    expect(source.dueMs).toBeLessThanOrEqual(HOUR / 2);
    reload({ renewAfter: 0.9 });
    expect(source.held?.id).toBe(id);
    expect(source.dueMs).toBeGreaterThan(HOUR / 2);
    await source.lookAfter(false);
    expect(issuer.runs).toBe(1);
  });

  test('drops the certificate when the actor has no cert_command any more', async () => {
    await serial();
    reload({ certCommand: undefined });
    expect(source.held).toBeUndefined();
  });
});
