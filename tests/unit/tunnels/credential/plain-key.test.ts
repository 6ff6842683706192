import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { ActorConfig } from '../../../../src/config/config.ts';
import { PlainKeySource, sourceOf } from '../../../../src/tunnels/credential/plain-key.ts';
import { signingKey } from '../../../support/certificates/built-certificate.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { agentWith } from '../../../support/fakes/fake-agent.ts';
import { actorConfig } from '../../../support/fakes/fake-link.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';

let temp: TempDir;
let actor: ActorConfig;
let version: number;
let doubts: number;
let source: PlainKeySource;

beforeEach(() => {
  temp = tempDir('plain-key');
  actor = { ...actorConfig, key: keyFile('key') };
  version = 1;
  doubts = 0;
  source = new PlainKeySource({
    actor: () => actor,
    version: () => version,
    supersede: () => version++,
    doubt: () => doubts++,
    env: { SSH_AUTH_SOCK: join(temp.path, 'agent') },
    signal: new AbortController().signal,
  });
});
afterEach(() => temp[Symbol.dispose]());

function keyFile(name: string) {
  const path = join(temp.path, name);
  writeFileSync(path, generatedKey().private, { mode: 0o600 });
  return { kind: 'file', path, passphraseFile: undefined } as const;
}

describe('a key file', () => {
  test('offers a key file in the same version while the key stays the same', async () => {
    await source.current();
    expect((await source.current()).facts.version).toBe(1);
  });

  test('raises the version when the key file has a new key', async () => {
    const before = await source.current();
    keyFile('key');
    await source.lookAfter(false);
    expect(source.last).toEqual(before.facts);
    await source.lookAfter(true);
    expect(source.last).toMatchObject({ version: 2 });
    expect(source.last?.id).not.toBe(before.facts.id);
  });

  test('keeps the version while the key file is unreadable, and doubts the next login', async () => {
    const { facts } = await source.current();
    writeFileSync(join(temp.path, 'key'), '', { mode: 0o600 });
    await source.lookAfter(true);
    expect(source.last).toEqual(facts);
    expect(doubts).toBe(1);
    await expect(source.refresh()).rejects.toMatchObject({ code: 'key_unreadable' });
  });
});

test('keeps the version when the agent gets one more key', async () => {
  actor = { ...actor, key: { kind: 'agent' } };
  const held = [signingKey().blob];
  const server = agentWith(held).listen(join(temp.path, 'agent'));
  await once(server, 'listening');
  const before = await source.current();
  held.push(signingKey().blob);
  const after = await source.current();
  server.close();
  expect(after.facts.id).not.toBe(before.facts.id);
  expect(after.facts.version).toBe(1);
});

describe('asFallback', () => {
  const why = new TunnelError('cert_command_failed', 'no route to the CA');

  test('offers the fallback with the reason and the documented exception', async () => {
    const { facts } = await source.asFallback({ key: keyFile('fallback'), exception: 'documented' }, why);
    expect(facts.standIn).toMatchObject({
      code: 'cert_command_failed',
      message: 'static key under exception documented: no route to the CA',
    });
    expect(source.last).toEqual(facts);
  });

  test('names the fault of the certificate, then the fault of the fallback', async () => {
    const key = { kind: 'file', path: join(temp.path, 'absent'), passphraseFile: undefined } as const;
    await expect(source.asFallback({ key, exception: 'documented' }, why)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringMatching(/^no route to the CA; the fallback also failed: private key .* does not exist$/),
    });
  });
});

describe(sourceOf, () => {
  const path = '/keys/atm';
  const fromFile: ActorConfig = { ...actorConfig, key: { kind: 'file', path, passphraseFile: undefined } };

  test('ignores certificate requirements for a key file', () => {
    expect(sourceOf({ ...fromFile, principals: ['other'] })).toEqual(sourceOf(fromFile));
    expect(sourceOf({ ...fromFile, key: { kind: 'file', path: '/keys/b', passphraseFile: undefined } })).not.toEqual(
      sourceOf(fromFile),
    );
  });

  test('includes certificate requirements for an agent', () => {
    expect(sourceOf({ ...actorConfig, principals: ['other'] })).not.toEqual(sourceOf(actorConfig));
  });
});
