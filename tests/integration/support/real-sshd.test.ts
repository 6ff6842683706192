import { readFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { Client } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../support/certificates/keys.ts';
import { has } from '../../support/machine/capabilities.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('the real sshd of the lab', () => {
  it('lets the client key in, forwards, and shows its sessions as processes', async () => {
    await using sshd = await startSshd({ hostKeyTypes: ['ed25519', 'ecdsa', 'rsa'] });
    await using echo = await startEcho();
    const client = await login(sshd);
    expect(await roundTrip(client, echo.port, 'hello')).toBe('hello');
    expect(readFileSync(sshd.knownHostsFile, 'utf8').trim().split('\n')).toHaveLength(3);
    expect(sshd.sessionPids().length).toBeGreaterThan(0);
    expect(sshd.log()).toContain('Accepted publickey');

    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    expect(sshd.killSessions()).toBeGreaterThan(0);
    await within('the killed session closes', closed);
    await waitUntil('no session is left', () => sshd.sessionPids().length === 0);
  });

  it('restarts on the same port, with a new host key when told, known_hosts unchanged until trusted', async () => {
    await using sshd = await startSshd();
    const before = { print: fingerprint(`${sshd.hostKeyFile}.pub`), known: readFileSync(sshd.knownHostsFile, 'utf8') };
    await sshd.restart({ newHostKey: true });
    expect(fingerprint(`${sshd.hostKeyFile}.pub`)).not.toBe(before.print);
    expect(readFileSync(sshd.knownHostsFile, 'utf8')).toBe(before.known);
    (await login(sshd)).destroy();
  });

  it('keeps sessions alive without the listener when told, and ends them on disposal', async () => {
    const sshd = await startSshd();
    await using echo = await startEcho();
    const client = await login(sshd);
    await sshd.stop({ keepSessions: true });
    await expect(tcp(sshd.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await roundTrip(client, echo.port, 'still here')).toBe('still here');
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    await sshd[Symbol.asyncDispose]();
    await within('the session ends with the lab', closed);
    // A killed process is listed until its parent has noticed.
    await waitUntil('no process of a session is left', () => sshd.sessionPids().length === 0);
  });
});

function login(sshd: Sshd): Promise<Client> {
  const client = new Client();
  return new Promise((resolve, reject) => {
    client.on('error', reject);
    client.once('ready', () => resolve(client));
    client.connect({
      host: '127.0.0.1',
      port: sshd.port,
      username: sshd.user,
      privateKey: readFileSync(sshd.clientKeyFile),
      hostVerifier: () => true,
    });
  });
}

function roundTrip(client: Client, port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, (error, channel) => {
      if (error) return reject(error);
      channel.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      channel.write(text);
    });
  });
}

function tcp(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = dial({ host: '127.0.0.1', port }, () => resolve(void socket.destroy()));
    socket.once('error', reject);
  });
}
