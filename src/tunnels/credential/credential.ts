import { stat } from 'node:fs/promises';
import { messageOf, TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import type { ActorConfig } from '../../config/config.ts';
import { listIdentities } from '../ssh/agent-client.ts';
import type { Certificate } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { agentAuth, certificateAuth, publicKeyAuth, type UserAuth } from '../ssh/user-auth.ts';
import { type Demands, usableIdentities } from './agent-identities.ts';
import { loadKeyFile } from './key-file.ts';

/** What an actor logs in with. */
export type Credential =
  | { readonly type: 'static_key'; readonly fingerprint: string; readonly key: PrivateKey['key'] }
  | {
      readonly type: 'certificate';
      /** Of the key, not of the certificate. */
      readonly fingerprint: string;
      readonly key: PrivateKey['key'];
      readonly certificate: Certificate;
    }
  /** `identities`: blobs of the keys and certificates that may be offered, in this order. */
  | { readonly type: 'agent'; readonly socket: string; readonly identities: readonly Buffer[] };

async function agentSocket(env: NodeJS.ProcessEnv): Promise<string> {
  const { SSH_AUTH_SOCK: socket } = env;
  if (socket === undefined || socket === '') {
    throw new TunnelError('key_unreadable', 'the actor uses ssh-agent, but SSH_AUTH_SOCK is not set', {
      hint: "Start ssh-agent and set SSH_AUTH_SOCK in the daemon's environment.",
    });
  }
  const stats = await stat(socket).catch((error: unknown) => {
    throw new TunnelError('key_unreadable', `the ssh-agent socket ${socket} cannot be reached`, {
      cause: error,
      hint: 'Check that ssh-agent runs and that SSH_AUTH_SOCK is its socket.',
    });
  });
  if (!stats.isSocket()) {
    throw new TunnelError('key_unreadable', `SSH_AUTH_SOCK is ${socket}, which is not a socket`, {
      hint: 'Set SSH_AUTH_SOCK to the socket of a running ssh-agent.',
    });
  }
  return socket;
}

function unlisted(socket: string, error: unknown): TunnelError {
  const said = printable(messageOf(error), 120);
  return new TunnelError('key_unreadable', `ssh-agent at ${socket} does not list its keys: ${said}`, {
    cause: error,
    hint: 'Check with `ssh-add -l` that ssh-agent runs, is not locked, and that SSH_AUTH_SOCK is its socket.',
  });
}

/** Loads again at each attempt, so a fixed file or a restarted agent needs no reload. `env` is the daemon's. */
export async function loadCredential(
  actor: Pick<ActorConfig, 'key'> & Demands,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Credential> {
  if (actor.key.kind === 'agent') {
    const socket = await agentSocket(env);
    const held = await listIdentities(socket, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw unlisted(socket, error);
    });
    return { type: 'agent', socket, identities: usableIdentities(held, actor, Date.now()) };
  }
  const { CREDENTIALS_DIRECTORY: credentialsDirectory } = env;
  const { path, passphraseFile } = actor.key;
  const { key, fingerprint } = await loadKeyFile(path, passphraseFile, credentialsDirectory);
  return { type: 'static_key', fingerprint, key };
}

/** For ssh2's `authHandler`: offers this credential only. Does not check a certificate. */
export function authMethods(credential: Credential, username: string): UserAuth {
  switch (credential.type) {
    case 'static_key':
      return publicKeyAuth(username, credential.key);
    case 'certificate':
      return certificateAuth(username, credential.key, credential.certificate);
    case 'agent':
      return agentAuth(username, credential.socket, credential.identities);
  }
}
