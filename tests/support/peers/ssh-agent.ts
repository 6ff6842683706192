import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../machine/find-program.ts';
import { spawnOwned } from '../machine/owned-process.ts';
import { tempDir } from '../machine/temp-dir.ts';
import { waitUntil } from '../wait-until.ts';

const run = promisify(execFile);

export interface SshAgent extends AsyncDisposable {
  readonly socket: string;
  /** For a child process: SSH_AUTH_SOCK. */
  readonly env: { readonly SSH_AUTH_SOCK: string };
  /** Adds a private key without a passphrase. */
  add(keyFile: string): Promise<void>;
  removeAll(): Promise<void>;
  stop(): Promise<void>;
}

/** A real ssh-agent of its own; the user's agent is never touched. */
export async function startSshAgent(): Promise<SshAgent> {
  const temp = tempDir('agent');
  const socket = join(temp.path, 'agent.sock');
  // With a command the agent lives as long as that: cat ends when our end of its stdin does, however we end. (It is
  // setgid, so PR_SET_PDEATHSIG would not outlive its exec.)
  const agent = spawnOwned(requireProgram('ssh-agent'), ['-a', socket, '/bin/cat'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const env = { SSH_AUTH_SOCK: socket };
  const sshAdd = async (...args: string[]) => {
    await run(requireProgram('ssh-add'), args, { env: { ...process.env, ...env }, timeout: 10_000 });
  };
  const stop = async () => {
    await agent.stop();
    temp[Symbol.dispose]();
  };
  try {
    await waitUntil('ssh-agent listens', () => existsSync(socket), 5_000, agent.stderr);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    socket,
    env,
    add: (keyFile) => sshAdd('-q', keyFile),
    removeAll: () => sshAdd('-q', '-D'),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
