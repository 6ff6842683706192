import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { ActorConfig } from '../../../../src/config/config.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import { Renewal, type Renewed } from '../../../../src/tunnels/credential/renewal.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { FakeIssuer } from '../../../support/fakes/fake-issuer.ts';
import { actorPolicy, recordingLogger } from '../../../support/fakes/fake-link.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let temp: TempDir;
let issuer: FakeIssuer;
let actor: ActorConfig;
let stop: AbortController;
let logged: string[];
let noted: Happening[];
let counted: string[];
let renewal: Renewal;

beforeEach(() => {
  temp = tempDir('renewal');
  const path = join(temp.path, 'key');
  writeFileSync(path, generatedKey().private, { mode: 0o600 });
  actor = {
    ...actorPolicy,
    name: 'atm-fleet-mesh',
    key: { kind: 'file', path, passphraseFile: undefined },
    certCommand: { argv: ['sign'], timeoutMs: 30_000, workingDirectory: '/' },
  };
  issuer = new FakeIssuer();
  stop = new AbortController();
  [logged, noted, counted] = [[], [], []];
  const context = {
    actor: () => actor,
    version: () => 1,
    supersede: () => {},
    doubt: () => {},
    env: {},
    signal: stop.signal,
  };
  renewal = new Renewal(context, {
    issuer,
    metrics: { certificateRenewals: { inc: ({ result }: { result: string }) => counted.push(result) } as never },
    log: recordingLogger(logged),
    note: (happening) => noted.push(happening),
    random: () => 0.5,
  });
});
afterEach(() => temp[Symbol.dispose]());

const away = new TunnelError('cert_command_failed', 'no route to the CA');
const none = () => undefined;

async function renewed(): Promise<Renewed> {
  const outcome = await renewal.run(none);
  if (!outcome || outcome instanceof TunnelError) throw outcome ?? new Error('overtaken');
  return outcome;
}

describe('run', () => {
  test('returns the certificate, and saves the certificate only on request', async () => {
    const { held, changed, keep } = await renewed();
    expect([held.certificate.serial, changed, issuer.saved]).toEqual([1n, true, undefined]);
    await keep();
    expect(issuer.saved).toBe(held.certificate);
    expect(counted).toEqual(['ok']);
  });

  test('reports that cert_command returned the certificate in use', async () => {
    const { held } = await renewed();
    issuer.issue = async () => ({ certificate: held.certificate, save: async () => {} });
    expect(await renewal.run(() => held)).toMatchObject({ changed: false });
    expect(counted).toEqual(['ok', 'unchanged']);
  });

  test('returns the error of the command, and waits longer after each failure', async () => {
    issuer.failure = away;
    const waits: number[] = [];
    for (let run = 1; run <= 3; run++) {
      expect(await renewal.run(none)).toBe(away);
      expect(renewal).toMatchObject({ failures: run, error: away, mayRun: false });
      waits.push(Math.round(renewal.retryLeftMs ?? 0));
    }
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits);
    expect(new Set(waits).size).toBe(3);
  });

  test('returns the objection to a certificate that fails the checks', async () => {
    actor = { ...actor, principals: ['somebody-else'] };
    expect(await renewal.run(none)).toMatchObject({ code: 'cert_wrong_principal' });
    expect(counted).toEqual(['failed']);
  });

  test('forgets earlier failures after a success', async () => {
    issuer.failure = away;
    await renewal.run(none);
    issuer.failure = undefined;
    await renewed();
    expect(renewal).toMatchObject({ failures: 0, error: undefined, retryAt: undefined, mayRun: true });
  });

  test.each([
    ['another key', () => ({ key: { kind: 'file', path: '/other', passphraseFile: undefined } as const })],
    ['no cert_command', () => ({ certCommand: undefined })],
  ])('returns nothing when a reload during the run brings %s', async (_, changes) => {
    const { issue } = issuer;
    issuer.issue = async (...asked) => {
      const issued = await issue.apply(issuer, asked);
      actor = { ...actor, ...changes() };
      return issued;
    };
    expect(await renewal.run(none)).toBeUndefined();
    expect([renewal.failures, counted]).toEqual([0, []]);
  });

  test('does not show the error of a command that a reload replaced during the run', async () => {
    issuer.issue = async () => {
      actor = { ...actor, certCommand: { argv: ['sign-better'], timeoutMs: 30_000, workingDirectory: '/' } };
      throw away;
    };
    expect(await renewal.run(none)).toBe(away);
    expect([renewal.error, renewal.failures, renewal.retryAt, counted, noted]).toEqual([
      undefined,
      0,
      undefined,
      [],
      [],
    ]);
  });

  test('counts no failure when a run is stopped', async () => {
    issuer.hangs = true;
    const running = renewal.run(none);
    const reason = new TunnelError('internal', 'stopping');
    await waitUntil('a run of the command', () => issuer.runs === 1);
    stop.abort(reason);
    expect(await running).toBe(reason);
    expect([renewal.failures, counted, noted]).toEqual([0, [], []]);
  });
});

test('reports a failure to log and evidence once, until the reason changes', async () => {
  issuer.failure = away;
  await renewal.run(none);
  await renewal.run(none);
  issuer.failure = new TunnelError('cert_command_timeout', 'too slow');
  await renewal.run(none);
  expect(noted).toMatchObject([
    { event: 'certificate.renewal_failed', code: 'cert_command_failed', reason: 'no route to the CA', failures: 1 },
    { event: 'certificate.renewal_failed', code: 'cert_command_timeout', reason: 'too slow', failures: 3 },
  ]);
  expect(logged).toEqual(['certificate.renewal_failed', 'certificate.renewal_failed']);
});

test('has an error until the certificate is saved, but counts no failure', async () => {
  issuer.keeping = new TunnelError('state_dir_unusable', 'read-only');
  const { keep } = await renewed();
  await keep();
  expect(renewal).toMatchObject({ failures: 0, error: issuer.keeping });
  expect(logged).toContain('certificate.not_kept');
  // Written by a later attempt.
  issuer.keeping = undefined;
  expect(renewal.error).toBeUndefined();
});
