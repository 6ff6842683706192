import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ActorConfig } from '../../../../src/config/config.ts';
import type { Issuer } from '../../../../src/tunnels/credential/issuer.ts';
import { keptSource } from '../../../../src/tunnels/credential/kept-source.ts';
import { type Certificate, parseCertificate } from '../../../../src/tunnels/ssh/certificate/certificate.ts';
import { parsePrivateKey } from '../../../../src/tunnels/ssh/private-key.ts';
import { buildCertificate, lineOf } from '../../../support/certificates/built-certificate.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { actorPolicy } from '../../../support/fakes/fake-link.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

const NEED = { refused: [], serving: false, attemptMs: 10_000 };

let temp: TempDir;
let subject: Buffer;
let key: { kind: 'file'; path: string; passphraseFile: undefined };
let actor: ActorConfig;
beforeEach(() => {
  temp = tempDir('kept');
  const path = join(temp.path, 'key');
  key = { kind: 'file', path, passphraseFile: undefined };
  const text = generatedKey().private;
  writeFileSync(path, text, { mode: 0o600 });
  subject = parsePrivateKey(Buffer.from(text), undefined)?.key.getPublicSSH() ?? Buffer.alloc(0);
  actor = {
    ...actorPolicy,
    name: 'atm-fleet-mesh',
    key,
    certCommand: { argv: ['sign'], timeoutMs: 30_000, workingDirectory: '/' },
  };
});
afterEach(() => temp[Symbol.dispose]());

const kept = (validForS: number) => {
  const nowS = BigInt(Math.floor(Date.now() / 1000));
  const fields = { subject, validAfter: nowS - 600n, validBefore: nowS + BigInt(validForS) };
  return { kept: async () => parseCertificate(lineOf(buildCertificate(fields))) };
};
const nothing = { kept: async () => undefined };

describe(keptSource, () => {
  test('offers the certificate that the daemon has saved', async () => {
    const { facts } = await keptSource(actor, kept(600), {}).current(NEED);
    expect(facts).toMatchObject({ type: 'certificate', standIn: undefined });
  });

  test('names the daemon as the one that renews an unusable saved certificate', async () => {
    await expect(keptSource(actor, kept(-60), {}).current(NEED)).rejects.toMatchObject({
      code: 'cert_expired',
      message: expect.stringMatching(/^saved certificate not usable: the certificate expired/),
      hint: expect.stringContaining('fleet-mesh status'),
    });
  });

  test('offers the fallback, with the reason, when no certificate is saved', async () => {
    const fallback = { key, exception: 'documented' };
    const { facts } = await keptSource({ ...actor, fallback }, nothing, {}).current(NEED);
    expect(facts.type).toBe('static_key');
    expect(facts.standIn?.message).toMatch(/^static key under exception documented: no saved certificate for .*$/);
  });

  describe('with a trial', () => {
    const trial = (validForS: number) => {
      const made = vi.fn(async () => (await kept(validForS).kept()) as Certificate);
      return { made, of: (lies: Pick<Issuer, 'kept'>) => keptSource(actor, lies, {}, made) };
    };

    test('gets one trial certificate when none is saved, and only one', async () => {
      const { made, of } = trial(600);
      const source = of(nothing);
      const both = await Promise.all([source.current(NEED), source.current(NEED)]);
      expect(both.map(({ facts }) => facts.type)).toEqual(['certificate', 'certificate']);
      expect(made).toHaveBeenCalledTimes(1);
    });

    test('gets a trial certificate only when the saved certificate is not usable', async () => {
      const { made, of } = trial(600);
      expect((await of(kept(-60)).current(NEED)).facts.type).toBe('certificate');
      expect(made).toHaveBeenCalledTimes(1);
      await of(kept(600)).current(NEED);
      expect(made).toHaveBeenCalledTimes(1);
    });

    test('names the fault of the trial certificate', async () => {
      await expect(trial(-60).of(nothing).current(NEED)).rejects.toMatchObject({ code: 'cert_expired' });
    });
  });
});
