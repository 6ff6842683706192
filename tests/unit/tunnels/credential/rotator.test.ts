import { writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { ActorConfig } from '../../../../src/config/config.ts';
import type { Issued, Issuer } from '../../../../src/tunnels/credential/issuer.ts';
import { NeedRecord } from '../../../../src/tunnels/credential/need-record.ts';
import type { Need } from '../../../../src/tunnels/credential/offer.ts';
import { Rotator } from '../../../../src/tunnels/credential/rotator.ts';
import { type Certificate, parseCertificate } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import type { PrivateKey } from '../../../../src/tunnels/ssh/private-key.ts';
import { wireString } from '../../../../src/tunnels/ssh/wire.ts';
import { buildCertificate, type CertificateFields, lineOf } from '../../../support/certificates/built-certificate.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { actorPolicy, recordingLogger } from '../../../support/fakes/fake-link.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NEED: Need = { refused: [], serving: false, attemptMs: 10_000 };

/** Reading a file takes real time, which the fake clock knows nothing of: as much as so many other looks at the disk. */
const really = globalThis.setTimeout;
const settle = async () => {
  for (let look = 0; look < 5; look++) await stat(temp.path);
  await new Promise<void>((resolve) => really(resolve, 1));
};

/** A CA of which the test decides everything. */
class FakeIssuer implements Issuer {
  runs = 0;
  /** From now, in milliseconds. */
  validFor: readonly [number, number] = [0, HOUR];
  failure: TunnelError | undefined;
  hangs = false;
  keeping: TunnelError | undefined;
  before: Certificate | undefined;
  unreadable: TunnelError | undefined;
  saved: Certificate | undefined;
  criticalOptions: CertificateFields['criticalOptions'] = [];

  async issue(_: ActorConfig, key: PrivateKey, signal: AbortSignal): Promise<Issued> {
    this.runs++;
    if (this.hangs)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    if (this.failure) throw this.failure;
    const certificate = this.certify(key.key.getPublicSSH());
    return {
      certificate,
      save: async () => {
        if (this.keeping) throw this.keeping;
        this.saved = certificate;
      },
    };
  }

  async kept(): Promise<Certificate | undefined> {
    if (this.unreadable) throw this.unreadable;
    return this.before;
  }

  certify(subject: Buffer, [from, to] = this.validFor): Certificate {
    const at = (ms: number) => BigInt(Math.round((Date.now() + ms) / 1000));
    const fields = {
      subject,
      serial: BigInt(this.runs),
      validAfter: at(from),
      validBefore: at(to),
      criticalOptions: this.criticalOptions,
    };
    return parseCertificate(lineOf(buildCertificate(fields)));
  }
}

let temp: TempDir;
let issuer: FakeIssuer;
let rotator: Rotator;
let versions: number[];
let counted: string[];
let actor: ActorConfig;

function make(differently: Partial<ActorConfig> = {}): Rotator {
  const path = join(temp.path, 'key');
  actor = {
    ...actorPolicy,
    name: 'atm-fleet-mesh',
    key: { kind: 'file', path, passphraseFile: undefined },
    certCommand: { argv: ['sign'], timeoutMs: 30_000, workingDirectory: '/' },
    ...differently,
  };
  const log = recordingLogger([]);
  rotator = new Rotator(actor, {
    issuer,
    record: new NeedRecord(join(temp.path, 'state'), 'atm-fleet-mesh', log),
    env: {},
    metrics: { certificateRenewals: { inc: ({ result }: { result: string }) => counted.push(result) } as never },
    log,
    random: () => 0.5,
    note: () => {},
    onChange: (version) => versions.push(version),
  });
  return rotator;
}

/** A key file in the daemon's hands. */
function writeKey(name = 'key'): string {
  const path = join(temp.path, name);
  writeFileSync(path, generatedKey().private, { mode: 0o600 });
  return path;
}

async function pass(ms: number, stepMs = 1_000): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await vi.advanceTimersByTimeAsync(Math.min(stepMs, ms - passed));
    await settle();
  }
}

/** What the clock has set off may go on in real time. */
async function toCount(result: string): Promise<void> {
  for (let turn = 0; turn < 500 && !counted.includes(result); turn++) await settle();
  expect(counted).toContain(result);
}

const serial = async (need: Partial<Need> = {}) => {
  const { credential } = await rotator.current({ ...NEED, ...need });
  return credential.type === 'certificate' ? Number(credential.certificate.serial) : credential.type;
};
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: unknown) => TunnelError.from(error).code,
  );

beforeEach(() => {
  temp = tempDir('rotator');
  writeKey();
  issuer = new FakeIssuer();
  versions = [];
  counted = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'], now: Date.UTC(2026, 10, 21) });
});
afterEach(async () => {
  await rotator.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  temp[Symbol.dispose]();
});

test('an agent is held to another principal at once, and replaced for nothing else that speaks of certificates', () => {
  make({ key: { kind: 'agent' }, certCommand: undefined });
  rotator.reconfigure({ ...actor, renewAfter: 0.9 });
  expect(versions).toEqual([]);
  rotator.reconfigure({ ...actor, principals: ['other'] });
  expect(versions).toEqual([2]);
});

describe('a certificate', () => {
  test('that a server rejects has another remedy than a key, and its status tells how it is restricted', async () => {
    make();
    issuer.criticalOptions = [['source-address', wireString('192.0.2.0/24')]];
    const { ifRejected } = await rotator.current(NEED);
    expect(ifRejected).toMatch(/192\.0\.2\.0\/24.*TrustedUserCAKeys/);
    expect(rotator.status().restrictions).toEqual(['source-address=192.0.2.0/24']);
  });

  test('is asked for once by all who want the first', async () => {
    make();
    expect(await Promise.all([serial(), serial(), serial()])).toEqual([1, 1, 1]);
    expect(issuer.saved?.serial).toBe(1n);
    expect(versions).toEqual([2]);
    expect(rotator.status()).toMatchObject({ type: 'certificate', serial: '1', renewal: { state: 'ok' } });
  });

  test('is renewed at half its life, and the news is told', async () => {
    make();
    await serial();
    await pass(29 * MINUTE, MINUTE);
    expect(issuer.runs).toBe(1);
    await pass(2 * MINUTE, 5_000);
    expect(issuer.runs).toBe(2);
    expect(versions).toEqual([2, 3]);
    expect((await rotator.current(NEED)).facts.version).toBe(3);
  });

  test('that works is kept while the CA is down, to its end, and its end is told', async () => {
    make();
    await serial();
    issuer.failure = new TunnelError('cert_command_failed', 'no route to the CA');
    await pass(58 * MINUTE, 10_000);
    expect(await serial()).toBe(1);
    expect(rotator.status()).toMatchObject({
      serial: '1',
      renewal: { state: 'failing', last_error: { message: 'no route to the CA' } },
    });
    await pass(3 * MINUTE, 5_000);
    expect(await code(serial())).toBe('cert_command_failed');
    expect(rotator.status().renewal?.state).toBe('expired');
    // Backoff: no storm, and never silence.
    expect(issuer.runs).toBeGreaterThan(8);
    expect(issuer.runs).toBeLessThan(80);
    issuer.failure = undefined;
    await pass(35_000);
    expect(await serial()).toBeGreaterThan(8);
    expect(versions).toEqual([2, 3]);
  }, 20_000);

  test.each([
    ['ahead', [10 * MINUTE, 70 * MINUTE], 'cert_not_yet_valid'],
    ['behind', [-70 * MINUTE, -10 * MINUTE], 'cert_expired'],
  ] as const)('of a CA whose clock is %s is refused, and the one in use kept', async (_, validFor, expected) => {
    make();
    await serial();
    issuer.validFor = validFor;
    await pass(29 * MINUTE, MINUTE);
    await pass(2 * MINUTE, 5_000);
    await toCount('failed');
    expect(await serial()).toBe(1);
    expect(rotator.status().renewal).toMatchObject({ state: 'failing', last_error: { code: expected } });
  });

  test('that a CA dates back is no reason to ask again at once', async () => {
    issuer.validFor = [-2 * MINUTE, 7_000];
    make();
    for (let i = 0; i < 5; i++) await serial();
    expect(issuer.runs).toBe(1);
  });

  test('that ends during the login is replaced first, but a command that hangs is not waited for to its end', async () => {
    issuer.validFor = [0, MINUTE];
    make({ renewAfter: 0.99 });
    await serial();
    await pass(52_000);
    expect(await serial()).toBe(2);
    await pass(52_000);
    issuer.hangs = true;
    const current = serial();
    await pass(5_000, 500);
    expect(await current).toBe(2);
  });

  test('that cannot be kept is used all the same', async () => {
    issuer.keeping = new TunnelError('state_dir_unusable', 'read-only');
    make();
    expect(await serial()).toBe(1);
    expect(rotator.status().renewal).toMatchObject({ state: 'ok', last_error: { code: 'state_dir_unusable' } });
  });

  test('is the same again: nothing is replaced', async () => {
    make();
    await serial();
    const same = issuer.saved as Certificate;
    issuer.issue = async () => ({ certificate: same, save: async () => {} });
    await pass(29 * MINUTE, MINUTE);
    await pass(2 * MINUTE, 5_000);
    await toCount('unchanged');
    expect(versions).toEqual([2]);
    expect(counted).toEqual(['ok', 'unchanged']);
  });
});

describe('what an earlier run has kept', () => {
  const keyBlob = async () => {
    const { credential } = await make({ certCommand: undefined }).current(NEED);
    await rotator.stop();
    return credential.type === 'static_key' ? credential.key.getPublicSSH() : Buffer.alloc(0);
  };

  test('is used without asking anybody', async () => {
    issuer.before = issuer.certify(await keyBlob(), [-30 * MINUTE, 30 * MINUTE]);
    make();
    expect(await serial()).toBe(0);
    expect(issuer.runs).toBe(0);
    await pass(14 * MINUTE, MINUTE);
    await pass(2 * MINUTE, 5_000);
    expect(issuer.runs).toBe(1);
  });

  test.each(['expired', 'unreadable', 'of another key'])('is no use: %s', async (what) => {
    if (what === 'expired') issuer.before = issuer.certify(await keyBlob(), [-HOUR, -MINUTE]);
    if (what === 'of another key') issuer.before = parseCertificate(lineOf(buildCertificate()));
    if (what === 'unreadable') issuer.unreadable = new TunnelError('state_dir_unusable', 'permission denied');
    make();
    expect(await serial()).toBe(1);
  });
});

describe('a certificate that a server rejects', () => {
  test('is replaced once before its time, and not again for a while', async () => {
    make();
    const { facts } = await rotator.current(NEED);
    expect(await serial({ refused: [facts.id] })).toBe(2);
    const second = await rotator.current(NEED);
    expect(await serial({ refused: [facts.id, second.facts.id] })).toBe(2);
    expect(issuer.runs).toBe(2);
  });

  test('gives way to the fallback, unless the link serves without', async () => {
    const path = writeKey('fallback');
    make({ fallback: { key: { kind: 'file', path, passphraseFile: undefined }, exception: 'documented' } });
    const first = await rotator.current(NEED);
    const second = await rotator.current({ ...NEED, refused: [first.facts.id] });
    const refused = [first.facts.id, second.facts.id];
    expect(await serial({ refused, serving: true })).toBe(2);
    const stand = await rotator.current({ ...NEED, refused });
    expect(stand.facts).toMatchObject({ type: 'static_key', standIn: { code: 'auth_rejected' } });
    expect(stand.facts.standIn?.message).toContain('documented');
  });
});

describe('the fallback', () => {
  test('that cannot be used says so after what it was wanted for', async () => {
    const path = join(temp.path, 'absent');
    issuer.failure = new TunnelError('cert_command_failed', 'no route to the CA');
    make({ fallback: { key: { kind: 'file', path, passphraseFile: undefined }, exception: 'documented' } });
    await expect(rotator.current(NEED)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringMatching(
        /^no route to the CA; nor can the fallback be used: private key .* does not exist$/,
      ),
    });
  });

  beforeEach(() => {
    const path = writeKey('fallback');
    issuer.failure = new TunnelError('cert_command_failed', 'away');
    make({ fallback: { key: { kind: 'file', path, passphraseFile: undefined }, exception: 'documented' } });
  });

  test('stands in while there is no certificate, and ends by itself', async () => {
    const { facts } = await rotator.current(NEED);
    expect(facts).toMatchObject({ type: 'static_key', standIn: { code: 'cert_command_failed' } });
    expect(rotator.status()).toMatchObject({ type: 'static_key', static_key: { removable: false } });
    issuer.failure = undefined;
    await pass(35_000);
    const after = await rotator.current(NEED);
    expect(after.facts).toMatchObject({ type: 'certificate', standIn: undefined });
    expect(after.facts.version).toBeGreaterThan(facts.version);
    expect(versions).toEqual([after.facts.version]);
  });

  test('is not waited for by a command that hangs, once that has failed', async () => {
    await rotator.current(NEED);
    issuer.hangs = true;
    await pass(31_000);
    expect(await serial()).toBe('static_key');
  });

  test('can go once a certificate was issued after it was last needed, also after a restart', async () => {
    await rotator.current(NEED);
    issuer.failure = undefined;
    await pass(35_000);
    await rotator.current(NEED);
    expect(rotator.status().static_key).toMatchObject({ removable: true });
    const needed = rotator.status().static_key?.last_needed_at;
    expect(rotator.status().static_key?.verdict).toBe(
      `the static key was last needed at ${needed?.toISOString()}; it can be removed`,
    );
    await rotator.stop();
    make(actor);
    await rotator.current(NEED);
    expect(rotator.status().static_key?.last_needed_at).toEqual(needed);
  });
});

describe('a key without a certificate', () => {
  test('that is replaced on disk is news', async () => {
    make({ certCommand: undefined });
    const before = await rotator.current(NEED);
    writeKey();
    await pass(6_000);
    const after = await rotator.current(NEED);
    expect(after.facts.id).not.toBe(before.facts.id);
    expect(versions).toEqual([after.facts.version]);
  });

  test('that is gone for a moment is none', async () => {
    make({ certCommand: undefined });
    await rotator.current(NEED);
    writeFileSync(join(temp.path, 'key'), '', { mode: 0o600 });
    await pass(6_000);
    expect(versions).toEqual([]);
    expect(await code(serial())).toBe('key_unreadable');
  });
});

describe('on command', () => {
  test('a certificate is obtained whatever the time, and a failure is told', async () => {
    make();
    await serial();
    await rotator.rotate();
    expect(await serial()).toBe(2);
    issuer.failure = new TunnelError('cert_command_timeout', 'too slow');
    expect(await code(rotator.rotate())).toBe('cert_command_timeout');
    expect(await serial()).toBe(2);
  });

  test('the same key is taken up anew', async () => {
    make({ certCommand: undefined });
    await rotator.current(NEED);
    await rotator.rotate();
    expect(versions).toEqual([2]);
  });
});

describe('a reload', () => {
  test('of renew_after replaces nothing', async () => {
    make();
    await serial();
    rotator.reconfigure({ ...actor, renewAfter: 0.9 });
    await pass(50 * MINUTE, MINUTE);
    expect(issuer.runs).toBe(1);
    expect(versions).toEqual([2]);
  });

  test('that asks for another principal has the certificate replaced', async () => {
    make();
    await serial();
    rotator.reconfigure({ ...actor, principals: ['somebody-else'] });
    expect(await code(serial())).toBe('cert_wrong_principal');
  });

  test('that brings a cert_command obtains the first certificate by itself', async () => {
    make({ certCommand: undefined });
    await rotator.current(NEED);
    rotator.reconfigure({ ...actor, certCommand: { argv: ['sign'], timeoutMs: 30_000, workingDirectory: '/' } });
    await pass(3_000);
    expect(versions).toEqual([2]);
    expect(await serial()).toBe(1);
  });
});
