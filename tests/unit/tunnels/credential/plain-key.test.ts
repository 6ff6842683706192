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
let source: PlainKeySource;

beforeEach(() => {
  temp = tempDir('plain-key');
  actor = { ...actorConfig, key: keyFile('key') };
  version = 1;
  source = new PlainKeySource({
    actor: () => actor,
    version: () => version,
    supersede: () => version++,
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
  test('is offered in the same version as long as it holds the same key', async () => {
    await source.current();
    expect((await source.current()).facts.version).toBe(1);
  });

  test('supersedes the last key when it holds another one', async () => {
    const before = await source.current();
    keyFile('key');
    await source.lookAfter(false);
    expect(source.last).toEqual(before.facts);
    await source.lookAfter(true);
    expect(source.last).toMatchObject({ version: 2 });
    expect(source.last?.id).not.toBe(before.facts.id);
  });

  test('supersedes nothing while it cannot be read', async () => {
    const { facts } = await source.current();
    writeFileSync(join(temp.path, 'key'), '', { mode: 0o600 });
    await source.lookAfter(true);
    expect(source.last).toEqual(facts);
    await expect(source.refresh()).rejects.toMatchObject({ code: 'key_unreadable' });
  });
});

test('does not supersede when an agent holds one key more', async () => {
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

describe('standIn', () => {
  const why = new TunnelError('cert_command_failed', 'no route to the CA');

  test('offers the fallback with the reason and the exception that allows it', async () => {
    const { facts } = await source.standIn({ key: keyFile('fallback'), exception: 'documented' }, why);
    expect(facts.standIn).toMatchObject({
      code: 'cert_command_failed',
      message: 'static key under exception documented: no route to the CA',
    });
    expect(source.last).toEqual(facts);
  });

  test('says what is wrong with the fallback after what is wrong with the certificate', async () => {
    const key = { kind: 'file', path: join(temp.path, 'absent'), passphraseFile: undefined } as const;
    await expect(source.standIn({ key, exception: 'documented' }, why)).rejects.toMatchObject({
      code: 'key_unreadable',
      message: expect.stringMatching(
        /^no route to the CA; the fallback cannot be used either: private key .* does not exist$/,
      ),
    });
  });
});

describe(sourceOf, () => {
  const path = '/keys/atm';
  const fromFile: ActorConfig = { ...actorConfig, key: { kind: 'file', path, passphraseFile: undefined } };

  test('ignores for a key file what is demanded of certificates', () => {
    expect(sourceOf({ ...fromFile, principals: ['other'] })).toEqual(sourceOf(fromFile));
    expect(sourceOf({ ...fromFile, key: { kind: 'file', path: '/keys/b', passphraseFile: undefined } })).not.toEqual(
      sourceOf(fromFile),
    );
  });

  test('counts for an agent what is demanded of certificates', () => {
    expect(sourceOf({ ...actorConfig, principals: ['other'] })).not.toEqual(sourceOf(actorConfig));
  });
});
