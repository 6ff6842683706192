import { readFileSync } from 'node:fs';
import { Client, type ClientChannel } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { embeddedKey } from '../../support/peers/embedded-key.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../support/peers/embedded-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

describe('the embedded SSH server', () => {
  it('forwards for its own client key', async () => {
    await using sshd = await startEmbeddedSshd();
    await using echo = await startEcho();
    const client = await login(sshd, readFileSync(sshd.clientKeyFile, 'utf8'));
    const channel = await open(client, echo.port);
    channel.write('hello');
    const [chunk] = await Promise.all([new Promise((resolve) => channel.once('data', resolve))]);
    expect(String(chunk)).toBe('hello');
  });

  it('refuses another key', async () => {
    await using sshd = await startEmbeddedSshd();
    await expect(login(sshd, embeddedKey().private)).rejects.toMatchObject({ level: 'client-authentication' });
    expect(sshd.connections.size).toBe(0);
  });

  it('refuses channels with the reason asked for, and with its own for a dead target', async () => {
    await using sshd = await startEmbeddedSshd({ channels: { kind: 'refuse', reason: 1, text: 'no' } });
    const client = await login(sshd, readFileSync(sshd.clientKeyFile, 'utf8'));
    await expect(open(client, 1)).rejects.toMatchObject({ reason: 1 });
    sshd.setChannels({ kind: 'forward' });
    await expect(open(client, 1)).rejects.toMatchObject({ reason: 2 });
  });

  it('never answers when told so', async () => {
    await using sshd = await startEmbeddedSshd({ channels: { kind: 'ignore' } });
    const client = await login(sshd, readFileSync(sshd.clientKeyFile, 'utf8'));
    let answered = false;
    const opening = open(client, 1).finally(() => {
      answered = true;
    });
    opening.catch(() => {});
    await waitUntil('the request arrives', () => sshd.channelRequests().length === 1);
    expect(answered).toBe(false);
    expect(sshd.killSessions()).toBe(1);
    await expect(opening).rejects.toThrow();
  });
});

function login(sshd: EmbeddedSshd, privateKey: string): Promise<Client> {
  const client = new Client();
  return new Promise((resolve, reject) => {
    client.on('error', reject);
    client.once('ready', () => resolve(client));
    client.connect({ host: '127.0.0.1', port: sshd.port, username: sshd.user, privateKey, hostVerifier: () => true });
  });
}

function open(client: Client, port: number): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
}
