import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { pythonClient, startPythonClient } from '../../support/clients/python-client.ts';
import { has } from '../../support/machine/capabilities.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { type OwnedProcess, spawnOwned } from '../../support/machine/owned-process.ts';
import { freePort, listenLoopback } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

interface PlainSsh extends AsyncDisposable {
  readonly process: OwnedProcess;
  readonly port: number;
}

/** `ssh -N -L` as a unit of a careful administrator runs it; settles once the local port serves. */
async function startPlainSsh(sshd: Sshd, target: number): Promise<PlainSsh> {
  const port = await freePort();
  const options = [
    'BatchMode=yes',
    'ExitOnForwardFailure=yes',
    'IdentitiesOnly=yes',
    `UserKnownHostsFile=${sshd.knownHostsFile}`,
  ].flatMap((option) => ['-o', option]);
  const forward = ['-L', `127.0.0.1:${port}:127.0.0.1:${target}`];
  const host = ['-i', sshd.clientKeyFile, '-p', `${sshd.port}`, `${sshd.user}@127.0.0.1`];
  const process = spawnOwned(requireProgram('ssh'), ['-N', '-F', 'none', ...options, ...forward, ...host]);
  await waitUntil(
    'ssh listens',
    () => accepts(port),
    10_000,
    () => `${process.stderr()}${sshd.log()}`,
  );
  return {
    process,
    port,
    [Symbol.asyncDispose]: async () => {
      await process.stop('SIGKILL');
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}

/** The column `ssh -N` of docs/comparison.md. If a case fails, correct the page. */
describe.skipIf(!has('sshd') || !has('python3') || !has('ssh'))('the ssh -N -L command of docs/comparison.md', () => {
  it('ends a cut connection of plain ssh like a finished one, and refuses clients afterwards', async () => {
    await using sshd = await startSshd();
    let heard = '';
    await using target = await listenLoopback((socket) => void socket.on('data', (chunk) => (heard += chunk)));
    await using ssh = await startPlainSsh(sshd, target.port);
    await using client = startPythonClient({ port: ssh.port, send: 'are you there?' });
    await client.connected;
    // Bytes that ssh has not read yet would turn its end into a reset.
    await waitUntil('the target has heard the client', () => heard === 'are you there?');
    sshd.killSessions();
    expect(await client.result).toMatchObject({ end: 'fin', bytes: 0 });
    await waitUntil('ssh has ended', () => ssh.process.child.exitCode !== null);
    expect((await pythonClient({ port: ssh.port })).end).toBe('refused');
  });

  it('keeps plain ssh running while the target refuses every connection', async () => {
    await using sshd = await startSshd();
    const target = await startEcho();
    await using ssh = await startPlainSsh(sshd, target.port);
    await target[Symbol.asyncDispose]();
    expect((await pythonClient({ port: ssh.port })).end).toBe('fin');
    expect(ssh.process.child.exitCode).toBeNull();
  });
});
