import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { authMethods, loadCredential } from '../../../src/credential/credential.ts';
import { generatedKey } from '../../support/generated-key.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credential-'));
});
afterEach(() => rm(directory, { recursive: true }));

const agentActor = { key: { kind: 'agent' } } as const;

test('a key file becomes one publickey method and nothing else', async () => {
  const path = join(directory, 'key');
  await writeFile(path, generatedKey().private, { mode: 0o600 });
  const credential = await loadCredential({ key: { kind: 'file', path, passphraseFile: undefined } }, {});
  expect(credential).toMatchObject({ type: 'static_key', fingerprint: expect.stringMatching(/^SHA256:/) });
  expect(authMethods(credential, 'me')(new ssh2.Client())).toEqual([
    { type: 'publickey', username: 'me', key: expect.anything() },
  ]);
});

test('an agent becomes one agent method and nothing else', async () => {
  const socket = join(directory, 'agent');
  const server = createServer().listen(socket);
  try {
    const credential = await loadCredential(agentActor, { SSH_AUTH_SOCK: socket });
    expect(credential).toEqual({ type: 'agent', socket });
    expect(authMethods(credential, 'me')(new ssh2.Client())).toEqual([
      { type: 'agent', username: 'me', agent: expect.anything() },
    ]);
  } finally {
    server.close();
  }
});

test.each([
  ['unset', {}, /SSH_AUTH_SOCK is not set/],
  ['empty', { SSH_AUTH_SOCK: '' }, /SSH_AUTH_SOCK is not set/],
  ['gone', { SSH_AUTH_SOCK: '/nonexistent/agent' }, /cannot be reached/],
  ['no socket', { SSH_AUTH_SOCK: '/dev/null' }, /not a socket/],
])('an agent whose socket is %s is key_unreadable', async (_, env, message) => {
  await expect(loadCredential(agentActor, env)).rejects.toMatchObject({
    code: 'key_unreadable',
    message: expect.stringMatching(message),
  });
});
