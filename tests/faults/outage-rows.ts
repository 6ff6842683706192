import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { waitUntil } from '../support/wait-until.ts';
import { type FalseSshd, startCutShort, startRefusal, startSlowBanner } from './false-sshd.ts';
import type { FaultRow } from './row.ts';
import type { Stage } from './stage.ts';

const NO_SESSION = { tunnel: 'down', reason: /no SSH session to coulombcore/ } as const;

/** Replaces sshd for new connections, and cuts the present sessions. */
async function replaceSshd(stage: Stage, impostor: Promise<FalseSshd>): Promise<void> {
  const { port, stop } = await impostor;
  impostors.set(stage, stop);
  stage.proxy.target = port;
  stage.proxy.reset();
}

const impostors = new WeakMap<Stage, () => Promise<void>>();

async function bringSshdBack(stage: Stage): Promise<void> {
  stage.proxy.target = stage.sshd.port;
  await impostors.get(stage)?.();
}

function behindImpostor(fault: string, impostor: (stage: Stage) => Promise<FalseSshd>, during: FaultRow['during']) {
  return {
    fault,
    inject: (stage: Stage) => replaceSshd(stage, impostor(stage)),
    ...(during && { during: { ...NO_SESSION, ...during } }),
    heal: bringSshdBack,
    recoversWithinMs: 10_000,
    requests: 'may fail',
    stream: 'is reset',
  } as const satisfies FaultRow;
}

const strangers = new WeakMap<Stage, Socket[]>();

/** Faults that end all sessions: requests wait for the link. */
export const OUTAGE_ROWS: readonly FaultRow[] = [
  {
    ...behindImpostor('this address is penalised', () => startRefusal('Not allowed at this time'), {
      link: 'backoff',
      linkCode: 'penalised',
      reason: /temporarily refuses the address of this node/,
      withinMs: 5_000,
    }),
    // The daemon waits a minute on purpose: an attempt would prolong the penalty.
    client: { everyMs: 500, timeoutMs: 3_000 },
    recoversWithinMs: 80_000,
  },
  {
    fault: 'all sessions are killed at once',
    inject: ({ sshd }) => void sshd.killSessions(),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'all sessions are reset (RST)',
    inject: ({ proxy }) => proxy.reset(),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'sshd is stopped and started',
    inject: ({ sshd }) => sshd.stop(),
    // The fault proxy still accepts connections, and passes the refusal on as a reset.
    during: { ...NO_SESSION, linkCode: 'connection_reset', withinMs: 3_000 },
    heal: ({ sshd }) => sshd.restart(),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'nothing listens on the SSH port',
    inject: async ({ proxy }) => {
      await proxy.refuse(true);
      proxy.reset();
    },
    during: { ...NO_SESSION, linkCode: 'connect_refused', withinMs: 3_000 },
    heal: ({ proxy }) => proxy.refuse(false),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'the whole host is black-holed',
    inject: ({ proxy }) => proxy.pause(),
    during: { ...NO_SESSION, linkCode: 'connect_timeout', withinMs: 10_000 },
    heal: ({ proxy }) => proxy.resume(),
    recoversWithinMs: 10_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  {
    fault: 'bytes of all sessions are lost on the way to us',
    inject: async ({ proxy }) => {
      proxy.drop('to-client');
      await waitUntil('something is lost', () => proxy.dropped['to-client'] > 0);
      proxy.resume();
    },
    // What is left fails the integrity check of the cipher.
    during: { linkCode: 'protocol_error', withinMs: 5_000 },
    recoversWithinMs: 10_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  behindImpostor('a slow-loris banner', startSlowBanner, {
    linkCode: 'connect_timeout',
    reason: /sent no SSH banner/,
    withinMs: 5_000,
  }),
  behindImpostor('cut in the middle of the key exchange', ({ sshd }) => startCutShort(sshd.port, 700, 'close'), {
    linkCode: 'connection_reset',
    reason: /during the key exchange/,
    withinMs: 5_000,
  }),
  behindImpostor('silent in the middle of the key exchange', ({ sshd }) => startCutShort(sshd.port, 700, 'silence'), {
    linkCode: 'kex_failed',
    reason: /did not finish the key exchange/,
    withinMs: 5_000,
  }),
  behindImpostor('something else than SSH answers', () => startRefusal('HTTP/1.1 400 Bad Request'), {
    linkCode: 'kex_failed',
    reason: /is not an SSH server/,
    withinMs: 5_000,
  }),
  {
    fault: 'MaxStartups refuses',
    stage: { sshd: { extraConfig: ['MaxStartups 2:100:2'] } },
    inject: async (stage) => {
      const idle: Socket[] = [];
      strangers.set(stage, idle);
      while (!stage.sshd.log().includes('drop connection')) {
        if (idle.length === 10) throw new Error('sshd accepts ten that say nothing');
        const socket = connect({ host: '127.0.0.1', port: stage.sshd.port });
        idle.push(socket.on('error', () => {}).resume());
        await waitUntil('sshd greets or refuses', () => socket.bytesRead > 0 || socket.closed);
      }
      stage.proxy.reset();
    },
    during: { ...NO_SESSION, linkCode: 'connection_reset', hint: /MaxStartups/, withinMs: 5_000 },
    heal: (stage) => {
      for (const socket of strangers.get(stage) ?? []) socket.destroy();
    },
    recoversWithinMs: 5_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  {
    fault: 'the host key is changed under way',
    inject: ({ sshd }) => sshd.restart({ newHostKey: true }),
    during: { ...NO_SESSION, link: 'blocked', linkCode: 'host_key_changed', withinMs: 5_000 },
    whileBroken: async ({ sshd, mesh }) => {
      const attempts = () => sshd.log().match(/Connection from/g)?.length ?? 0;
      const before = attempts();
      // The daemon must not retry at once, which only a wait can show.
      await pause(1_500);
      if (attempts() > before) throw new Error('it dialled again without anybody having changed anything');
      if (/Accepted publickey/.test(sshd.log().split('Server listening').at(-1) ?? '')) {
        throw new Error(`it logged in to a changed host key\n${mesh.daemon.log()}`);
      }
    },
    heal: (stage) => {
      stage.trustHostKeys();
      stage.mesh.daemon.signal('SIGHUP');
    },
    recoversWithinMs: 5_000,
    requests: 'may fail',
    stream: 'is reset',
  },
];
