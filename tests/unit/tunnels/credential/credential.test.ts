import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { authMethods, loadCredential } from '../../../../src/tunnels/credential/credential.ts';
import { signingKey } from '../../../support/certificates/built-certificate.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { agentWith } from '../../../support/fakes/fake-agent.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credential-'));
});
afterEach(() => rm(directory, { recursive: true }));

const never = new AbortController().signal;
const agentActor = { key: { kind: 'agent' } } as const;

test('offers a key file as the only method, publickey', async () => {
  const path = join(directory, 'key');
  await writeFile(path, generatedKey().private, { mode: 0o600 });
  const credential = await loadCredential({ key: { kind: 'file', path, passphraseFile: undefined } }, {}, never);
  expect(credential).toMatchObject({ type: 'static_key', fingerprint: expect.stringMatching(/^SHA256:/) });
  expect(authMethods(credential, 'me')(new ssh2.Client())).toEqual([
    { type: 'publickey', username: 'me', key: expect.anything() },
  ]);
});

test('rejects an agent that does not answer or has no key, before any dial', async () => {
  const socket = join(directory, 'agent');
  const mute = createServer((peer) => peer.destroy()).listen(socket);
  const load = () => loadCredential(agentActor, { SSH_AUTH_SOCK: socket }, never);
  await expect(load()).rejects.toMatchObject({
    code: 'key_unreadable',
    message: expect.stringContaining('does not list its keys'),
  });
  await new Promise((resolve) => mute.close(resolve));
  const empty = agentWith([]).listen(socket);
  await expect(load()).rejects.toMatchObject({ code: 'key_unreadable', message: 'ssh-agent has no key' });
  empty.close();
});

test('offers an agent as the only method, agent', async () => {
  const socket = join(directory, 'agent');
  const server = agentWith([signingKey().blob]).listen(socket);
  try {
    const credential = await loadCredential(agentActor, { SSH_AUTH_SOCK: socket }, never);
    expect(credential).toMatchObject({ type: 'agent', socket });
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
])('rejects an agent whose socket is %s with key_unreadable', async (_, env, message) => {
  await expect(loadCredential(agentActor, env, never)).rejects.toMatchObject({
    code: 'key_unreadable',
    message: expect.stringMatching(message),
  });
});
