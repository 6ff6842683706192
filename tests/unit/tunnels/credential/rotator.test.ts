import { renameSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { ActorConfig } from '../../../../src/config/config.ts';
import { NeedRecord } from '../../../../src/tunnels/credential/need-record.ts';
import type { Need } from '../../../../src/tunnels/credential/offer.ts';
import { Rotator } from '../../../../src/tunnels/credential/rotator.ts';
import type { Certificate } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import { wireString } from '../../../../src/tunnels/ssh/wire.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { FakeIssuer } from '../../../support/fakes/fake-issuer.ts';
import { actorPolicy, recordingLogger } from '../../../support/fakes/fake-link.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const MINUTE = 60_000;
const NEED: Need = { refused: [], serving: false, attemptMs: 10_000 };

/** Reading a file takes real time, which the fake clock does not see: waits until three looks in a row find no read. */
const really = globalThis.setTimeout;
const settle = async () => {
  for (let quiet = 0; quiet < 3; quiet++) {
    await stat(temp.path);
    await new Promise<void>((resolve) => really(resolve, 1));
    if (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))) quiet = -1;
  }
};

let temp: TempDir;
let issuer: FakeIssuer;
let rotator: Rotator;
let versions: number[];
let doubts: number;
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
    onDoubt: () => doubts++,
  });
  return rotator;
}

/** A key file that the daemon can use. */
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

/** Work that the clock started may continue in real time, such as reading a key. */
async function toCount(result: string): Promise<void> {
  await waitUntil(`a renewal is counted as ${result}`, () => counted.includes(result));
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
  doubts = 0;
  counted = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'], now: Date.UTC(2026, 10, 21) });
});
afterEach(async () => {
  await rotator.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  temp[Symbol.dispose]();
});

test('replaces the sessions of an agent when principals change, but not for renew_after', () => {
  make({ key: { kind: 'agent' }, certCommand: undefined });
  rotator.reconfigure({ ...actor, renewAfter: 0.9 });
  expect(versions).toEqual([]);
  rotator.reconfigure({ ...actor, principals: ['other'] });
  expect(versions).toEqual([2]);
});

describe('a certificate', () => {
  test('gives a certificate its own rejection hint, and shows its restrictions in the status', async () => {
    make();
    issuer.criticalOptions = [['source-address', wireString('192.0.2.0/24')]];
    const { ifRejected } = await rotator.current(NEED);
    expect(ifRejected).toMatch(/192\.0\.2\.0\/24.*TrustedUserCAKeys/);
    expect(rotator.status().restrictions).toEqual(['source-address=192.0.2.0/24']);
  });

  test('renews a certificate at half its life, with a new version', async () => {
    make();
    await serial();
    await pass(29 * MINUTE, MINUTE);
    expect(issuer.runs).toBe(1);
    await pass(2 * MINUTE, 5_000);
    expect(issuer.runs).toBe(2);
    expect(versions).toEqual([2, 3]);
    expect((await rotator.current(NEED)).facts.version).toBe(3);
  });

  test('keeps a certificate until it expires while the CA is down, and shows that in the status', async () => {
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
    // Backoff: neither a storm of runs nor a stop.
    expect(issuer.runs).toBeGreaterThan(8);
    expect(issuer.runs).toBeLessThan(80);
    issuer.failure = undefined;
    await pass(35_000);
    expect(await serial()).toBeGreaterThan(8);
    expect(versions).toEqual([2, 3]);
  });

  test.each([
    ['ahead', [10 * MINUTE, 70 * MINUTE], 'cert_not_yet_valid'],
    ['behind', [-70 * MINUTE, -10 * MINUTE], 'cert_expired'],
  ] as const)(
    'rejects a new certificate when the clock of the CA is %s, and keeps the current certificate',
    async (_, validFor, expected) => {
      make();
      await serial();
      issuer.validFor = validFor;
      await pass(29 * MINUTE, MINUTE);
      await pass(2 * MINUTE, 5_000);
      await toCount('failed');
      expect(await serial()).toBe(1);
      expect(rotator.status().renewal).toMatchObject({ state: 'failing', last_error: { code: expected } });
    },
  );

  test('renews a certificate before a login if it could expire during the login, unless cert_command hangs', async () => {
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

  test('replaces no session when cert_command returns the same certificate', async () => {
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

describe('a saved certificate', () => {
  const keyBlob = async () => {
    const { credential } = await make({ certCommand: undefined }).current(NEED);
    await rotator.stop();
    return credential.type === 'static_key' ? credential.key.getPublicSSH() : Buffer.alloc(0);
  };

  test('uses a saved certificate until its renewal without running cert_command', async () => {
    issuer.before = issuer.certify(await keyBlob(), [-30 * MINUTE, 30 * MINUTE]);
    make();
    expect(await serial()).toBe(0);
    expect(issuer.runs).toBe(0);
    await pass(14 * MINUTE, MINUTE);
    await pass(2 * MINUTE, 5_000);
    expect(issuer.runs).toBe(1);
  });
});

describe('the fallback', () => {
  beforeEach(() => {
    const path = writeKey('fallback');
    issuer.failure = new TunnelError('cert_command_failed', 'away');
    make({ fallback: { key: { kind: 'file', path, passphraseFile: undefined }, exception: 'documented' } });
  });

  test('offers the fallback without a certificate, and returns to certificates by itself', async () => {
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

  test('offers the fallback immediately while cert_command hangs after a failure', async () => {
    await rotator.current(NEED);
    issuer.hangs = true;
    await pass(31_000);
    expect(await serial()).toBe('static_key');
  });

  test('calls the fallback removable when a certificate is newer than its last use, also after a restart', async () => {
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
  test('raises the version when a key is replaced on disk', async () => {
    make({ certCommand: undefined });
    const before = await rotator.current(NEED);
    writeKey();
    await pass(6_000);
    const after = await rotator.current(NEED);
    expect(after.facts.id).not.toBe(before.facts.id);
    expect(versions).toEqual([after.facts.version]);
  });

  test('keeps the version while the key file is empty for a moment', async () => {
    make({ certCommand: undefined });
    await rotator.current(NEED);
    writeFileSync(join(temp.path, 'key'), '', { mode: 0o600 });
    await pass(6_000);
    expect(versions).toEqual([]);
    expect(doubts).toBe(1);
    expect(await code(serial())).toBe('key_unreadable');
  });

  test('doubts the next login once when the key file disappears, and not when the file is back', async () => {
    make({ certCommand: undefined });
    await rotator.current(NEED);
    const path = join(temp.path, 'key');
    renameSync(path, `${path}.away`);
    await pass(20_000);
    expect(doubts).toBe(1);
    renameSync(`${path}.away`, path);
    await pass(20_000);
    expect([doubts, versions]).toEqual([1, []]);
  });
});

describe('rotate', () => {
  test('gets a certificate at any time, and rejects when that fails', async () => {
    make();
    await serial();
    await rotator.rotate();
    expect(await serial()).toBe(2);
    issuer.failure = new TunnelError('cert_command_timeout', 'too slow');
    expect(await code(rotator.rotate())).toBe('cert_command_timeout');
    expect(await serial()).toBe(2);
  });

  test('gives the same key a new version', async () => {
    make({ certCommand: undefined });
    await rotator.current(NEED);
    await rotator.rotate();
    expect(versions).toEqual([2]);
  });
});

describe('a reload', () => {
  test('replaces no session when renew_after changes', async () => {
    make();
    await serial();
    rotator.reconfigure({ ...actor, renewAfter: 0.9 });
    await pass(50 * MINUTE, MINUTE);
    expect(issuer.runs).toBe(1);
    expect(versions).toEqual([2]);
  });

  test('gets the first certificate by itself when a reload adds cert_command', async () => {
    make({ certCommand: undefined });
    await rotator.current(NEED);
    rotator.reconfigure({ ...actor, certCommand: { argv: ['sign'], timeoutMs: 30_000, workingDirectory: '/' } });
    await pass(3_000);
    expect(versions).toEqual([2]);
    expect(await serial()).toBe(1);
  });
});
