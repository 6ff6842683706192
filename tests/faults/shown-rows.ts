import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { SETTLED_MS } from '../../src/tunnels/link/backoff.ts';
import { echoOnce } from '../support/clients/steady-client.ts';
import { hasSessions, knownBehind, linkOf } from '../support/daemon/mesh.ts';
import { patient } from '../support/patience.ts';
import { freePort } from '../support/peers/loopback.ts';
import { signalSession } from './link-rows.ts';
import type { FaultRow } from './row.ts';

const DOWN_MS = 8_000;

export const ROLLING_ROW: FaultRow = {
  fault: 'a rolling restart of the sessions, one at a time',
  inject: async (stage, atRest) => {
    for (let n = 0; n < stage.sessions; n += 1) {
      const before = new Set(linkOf(await stage.mesh.daemon.status()).sessions.map(({ id }) => id));
      await atRest(() => signalSession(stage, 0, 'SIGTERM'));
      await stage.mesh.waitFor(
        (status) => hasSessions(stage.sessions)(status) && linkOf(status).sessions.some(({ id }) => !before.has(id)),
        5_000,
      );
    }
  },
  recoversWithinMs: 5_000,
  requests: 'are all served',
  slowestBelowMs: 2_000,
  stream: 'is reset',
};

/** The tunnels work, and the next login cannot: nothing may look healthy. */
const DYING = { link: 'up', tunnel: 'up', node: 'degraded', replacement: 'failing' } as const;

/** The default keepalive: 15 s of silence. */
export const DEFAULTS = { keepalive: { every: '5s', lost_after: 3 }, connect_timeout: '10s' };

/** Shorter than the silence that ends a session: nothing that is open is cut, and new clients wait. */
const hiccup = (seconds: number): FaultRow => ({
  fault: `no network for ${seconds} s with the default keepalive, and new clients meanwhile`,
  stage: { host: DEFAULTS, echo: { probe: undefined } },
  client: { everyMs: 500, timeoutMs: 30_000 },
  inject: ({ proxy }) => proxy.pause(),
  whileBroken: () => pause(seconds * 1_000),
  heal: ({ proxy }) => proxy.resume(),
  recoversWithinMs: 2_000,
  requests: 'are all served',
  stream: 'survives',
});

/** Faults that are more than the loss of one session. These rows mostly wait. */
export const SHOWN_ROWS: readonly FaultRow[] = [
  {
    fault: 'the only sshd is down for 8 s, connections are held',
    client: { everyMs: 20, timeoutMs: 40_000 },
    inject: ({ sshd }) => sshd.stop(),
    whileBroken: () => pause(DOWN_MS),
    heal: ({ sshd }) => sshd.restart(),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'the only sshd is down for 8 s, while_down: refuse',
    stage: { echo: { while_down: 'refuse' } },
    inject: ({ sshd }) => sshd.stop(),
    during: { tunnel: 'down', withinMs: 3_000 },
    whileBroken: async ({ mesh }) => {
      await pause(DOWN_MS);
      const from = performance.now();
      const refused = await echoOnce(mesh.port('echo')).then(
        () => false,
        () => true,
      );
      const tookMs = performance.now() - from;
      // Held, the client would wait for the link.
      if (!refused || tookMs > patient(2_000))
        throw new Error(`it was ${refused ? 'refused' : 'served'} after ${tookMs} ms`);
    },
    heal: ({ sshd }) => sshd.restart(),
    // No waiting client shortens the backoff. But the host let us in before, so the wait is a second at most.
    recoversWithinMs: 5_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  {
    fault: 'the standby is lost while the server no longer accepts the key',
    inject: (stage) => {
      renameSync(stage.sshd.authorizedKeysFile, `${stage.sshd.authorizedKeysFile}.away`);
      signalSession(stage, 1, 'SIGKILL');
    },
    during: { ...DYING, replacementCode: 'auth_rejected', withinMs: 5_000 },
    heal: (stage) => {
      renameSync(`${stage.sshd.authorizedKeysFile}.away`, stage.sshd.authorizedKeysFile);
    },
    // A rejected key is offered again after a minute.
    recoversWithinMs: 80_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'the active session is lost while nothing listens on the SSH port',
    inject: async (stage) => {
      await stage.proxy.refuse(true);
      stage.proxy.connections()[0]?.reset();
    },
    during: { ...DYING, replacementCode: 'connect_refused', withinMs: 3_000 },
    heal: ({ proxy }) => proxy.refuse(false),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'the standby is lost after the host key has changed',
    inject: async ({ sshd, proxy }) => {
      await sshd.stop({ keepSessions: true });
      await sshd.restart({ newHostKey: true });
      proxy.connections()[1]?.reset();
    },
    during: { ...DYING, replacementCode: 'host_key_changed', withinMs: 5_000 },
    heal: async (stage) => {
      stage.trustHostKeys();
      await stage.mesh.reload();
    },
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'sshd begins to forbid forwards to new sessions, and the standby is lost',
    inject: async (stage) => {
      const { authorizedKeysFile } = stage.sshd;
      // A younger session is no measure of further ones.
      await pause(SETTLED_MS);
      writeFileSync(authorizedKeysFile, `restrict ${readFileSync(authorizedKeysFile, 'utf8')}`);
      signalSession(stage, 1, 'SIGKILL');
    },
    during: { ...DYING, replacementCode: 'forward_denied', withinMs: 5_000 },
    heal: ({ sshd }) => {
      writeFileSync(sshd.authorizedKeysFile, readFileSync(sshd.authorizedKeysFile, 'utf8').replace('restrict ', ''));
    },
    // The pause grows with each attempt.
    recoversWithinMs: 15_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'two of three sessions are black-holed both ways',
    stage: { host: { sessions: 3 } },
    inject: ({ proxy }) => {
      for (const connection of proxy.connections().slice(0, 2)) connection.pause();
    },
    during: { link: 'up', linkCode: 'keepalive_lost', withinMs: 5_000 },
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'a reload to a port where nothing listens, and back',
    inject: async ({ mesh, sshd }) => {
      const port = await freePort();
      await mesh.write({ host: { port, known_hosts: knownBehind(sshd, port) } });
      mesh.daemon.signal('SIGHUP');
    },
    during: { ...DYING, replacementCode: 'connect_refused', withinMs: 3_000 },
    heal: async ({ mesh, sshd, proxy }) => {
      await mesh.write({ host: { port: proxy.port, known_hosts: knownBehind(sshd, proxy.port) } });
      mesh.daemon.signal('SIGHUP');
    },
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'the sessions are lost every 2 s for 16 s, while_down: refuse',
    stage: { echo: { while_down: 'refuse' } },
    inject: async ({ proxy, mesh }) => {
      for (let n = 0; n < 8; n += 1) {
        proxy.reset();
        await pause(2_000);
      }
      const waits = mesh.daemon
        .records()
        .flatMap(({ event, retry_in_ms: wait }) =>
          event === 'link.attempt_failed' && typeof wait === 'number' ? wait : [],
        );
      if (waits.some((wait) => wait > 1_000)) throw new Error(`the daemon waited ${Math.max(...waits)} ms`);
    },
    recoversWithinMs: 3_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  {
    fault: 'an unused link with the default keepalive is black-holed',
    stage: { host: DEFAULTS, echo: { probe: undefined } },
    // Requests would make the link check sooner, so the second one comes after the recovery.
    client: { everyMs: 20_000, timeoutMs: 3_000 },
    inject: ({ proxy }) => proxy.pause(),
    // Both sessions are given up, not only the one that was silent before.
    during: { tunnel: 'down', linkCode: 'keepalive_lost', withinMs: 15_500 },
    heal: ({ proxy }) => proxy.resume(),
    recoversWithinMs: 30_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  hiccup(6),
  hiccup(11),
  // A second is left to a busy machine.
  hiccup(13),
];
