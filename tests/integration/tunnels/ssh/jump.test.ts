import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostConfig } from '../../../../src/config/config.ts';
import { prepare } from '../../../../src/tunnels/link/prepare.ts';
import type { LinkSession } from '../../../../src/tunnels/link/session.ts';
import {
  actorOf,
  connectSession,
  hostOf,
  keyOf,
  loopback,
  NEED,
  never,
  originator,
} from '../../../support/clients/ssh-session.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

let outer: EmbeddedSshd;
let inner: EmbeddedSshd;
let proxy: FaultProxy;
let baseline: Holdings;

beforeEach(async () => {
  baseline = await takeBaseline(50);
  [outer, inner] = await Promise.all([startEmbeddedSshd(), startEmbeddedSshd()]);
  proxy = await FaultProxy.start(outer.port);
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await Promise.all([outer[Symbol.asyncDispose](), inner[Symbol.asyncDispose]()]);
  await expectNoLeaks(baseline);
});

/** A session to the first server through the proxy; known_hosts needs the port of the proxy. */
async function connectOuter(): Promise<LinkSession> {
  const knownHosts = join(outer.directory, 'known_hosts_proxy');
  writeFileSync(knownHosts, readFileSync(outer.knownHostsFile, 'utf8').replaceAll(`:${outer.port}`, `:${proxy.port}`));
  return connectSession(outer, { port: proxy.port, knownHosts, keepalive: { everyMs: 60_000, lostAfter: 3 } });
}

/** A session to the second server, over a channel of the first session. */
async function connectOver(session: LinkSession, differently: Partial<HostConfig> = {}): Promise<LinkSession> {
  const another = async (signal: AbortSignal) => {
    const channel = await session.open(loopback(inner.port), originator, signal);
    return { channel, leaving: false, check: () => session.check() };
  };
  const carrier = await another(never);
  const attempt = await prepare(hostOf(inner, differently), keyOf(actorOf(inner)), NEED);
  return attempt.connect(never, { kind: 'jump', host: 'bastion', carrier, another });
}

describe('a session over a channel of another', () => {
  it('serves over a channel of another session, and leaves nothing in that session', async () => {
    await using echo = await startEcho();
    const first = await connectOuter();
    const second = await connectOver(first);
    expect(first.channels).toBe(1);
    expect(second.facts.hostKey).toBe(inner.hostKeyFingerprint);
    const { stream } = await second.open(loopback(echo.port), originator, never);
    const answer = new Promise((resolve) => stream.once('data', resolve));
    stream.write('hello');
    expect(String(await answer)).toBe('hello');
    stream.resume().end();
    await waitUntil('its channel is closed', () => second.channels === 0);
    expect(await second.end()).toEqual({ error: undefined, silentMs: 0 });
    await waitUntil('the channel under it is closed', () => first.channels === 0);
    await first.end();
  });

  it('ends immediately with the lower session, and reports the reason', async () => {
    const first = await connectOuter();
    const second = await connectOver(first);
    proxy.reset();
    const { error } = await within('the inner one ends', second.closed, 2_000);
    expect(error).toMatchObject({
      code: 'connection_reset',
      message: 'the SSH session to jump host bastion was lost',
    });
    await first.closed;
  });

  it('loses the upper session by its own keepalive when only the lower session hangs', async () => {
    const first = await connectOuter();
    const second = await connectOver(first, { keepalive: { everyMs: 200, lostAfter: 3 } });
    proxy.pause();
    const { error } = await within('the inner one ends', second.closed, 2_000);
    expect(error?.code).toBe('keepalive_lost');
    proxy.reset();
    await first.closed;
  });

  it('names its own host in the error for a wrong host key', async () => {
    const first = await connectOuter();
    const knownHosts = join(inner.directory, 'known_hosts_wrong');
    const other = readFileSync(outer.knownHostsFile, 'utf8').replaceAll(`:${outer.port}`, `:${inner.port}`);
    writeFileSync(knownHosts, other);
    await expect(connectOver(first, { knownHosts })).rejects.toMatchObject({
      code: 'host_key_changed',
      message: expect.stringContaining(`[127.0.0.1]:${inner.port} presented`),
    });
    await waitUntil('the channel is closed', () => first.channels === 0);
    await first.end();
  });

  it('fails in the handshake with the error of the lower session', async () => {
    const first = await connectOuter();
    proxy.cutAfter(600);
    await expect(connectOver(first)).rejects.toMatchObject({ code: 'connection_reset' });
    await first.closed;
  });
});
