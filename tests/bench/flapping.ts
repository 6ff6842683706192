import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { hasSessions, knownBehind, startMesh } from '../support/daemon/mesh.ts';
import { requireProgram } from '../support/machine/find-program.ts';
import { spawnOwned } from '../support/machine/owned-process.ts';
import { FaultProxy } from '../support/peers/fault-proxy.ts';
import { freePort } from '../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../support/peers/real-sshd.ts';
import { startEcho } from '../support/peers/targets.ts';
import { waitUntil } from '../support/wait-until.ts';

/**
 * `npx tsx tests/bench/flapping.ts [SECONDS]`: a tunnel of the built daemon beside `ssh -L` in a restart loop of one
 * second, to a host that flaps. Each case lasts so many seconds, 60 if not said otherwise. Clients without patience ask
 * both tunnels 20 times a second: the table has the share of time without service, and the longest outage.
 */
const ASK_EVERY_MS = 50;
const ASK_TIMEOUT_MS = 400;

/** One kind of flapping: `strike` each `everyMs`, or a host that is away for as long as it was there. */
interface Flapping {
  readonly name: string;
  readonly everyMs: number;
  readonly away: boolean;
}

const CASES: readonly Flapping[] = [2, 5, 10].flatMap((seconds) => [
  { name: `killed every ${seconds} s`, everyMs: seconds * 1_000, away: false },
  { name: `${seconds} s up, ${seconds} s away`, everyMs: seconds * 1_000, away: true },
]);

interface Outage {
  readonly share: number;
  readonly longestMs: number;
}

/** Whether the echo answers through the port within the timeout. */
function served(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const end = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(false), ASK_TIMEOUT_MS);
    socket.on('error', () => end(false)).on('close', () => end(false));
    socket.once('data', () => end(true)).write('?');
  });
}

/** Asks until the signal aborts. The time between two answers counts as an outage as soon as one question fails. */
async function watch(port: number, signal: AbortSignal): Promise<Outage> {
  const from = performance.now();
  let [downMs, longestMs] = [0, 0];
  let downSince: number | undefined;
  const over = () => {
    if (downSince === undefined) return;
    const ms = performance.now() - downSince;
    downMs += ms;
    longestMs = Math.max(longestMs, ms);
    downSince = undefined;
  };
  while (!signal.aborted) {
    const askedAt = performance.now();
    if (await served(port)) over();
    else downSince ??= askedAt;
    await pause(Math.max(0, askedAt + ASK_EVERY_MS - performance.now()));
  }
  over();
  return { share: downMs / (performance.now() - from), longestMs };
}

/** `while true; do ssh -N -L …; sleep 1; done`, as a unit with Restart=always and RestartSec=1 does. */
async function sshLoop(sshd: Sshd, proxyPort: number, port: number, target: number, signal: AbortSignal) {
  const options = ['BatchMode=yes', 'ExitOnForwardFailure=yes', 'ConnectTimeout=10', 'IdentitiesOnly=yes'];
  const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  const known = `UserKnownHostsFile=${knownBehind(sshd, proxyPort)}`;
  while (!signal.aborted) {
    await using ssh = spawnOwned(requireProgram('ssh'), [
      ...['-F', 'none', '-N', '-i', sshd.clientKeyFile, '-p', String(proxyPort)],
      ...[...options, known].flatMap((option) => ['-o', option]),
      ...['-L', `127.0.0.1:${port}:127.0.0.1:${target}`, `${sshd.user}@127.0.0.1`],
    ]);
    await Promise.race([ssh.exit, stopped]);
    if (!signal.aborted) await pause(1_000);
  }
}

async function flap({ everyMs, away }: Flapping, proxies: readonly FaultProxy[], untilMs: number): Promise<void> {
  for (let there = true; performance.now() < untilMs; there = !there) {
    await pause(Math.min(everyMs, Math.max(0, untilMs - performance.now())));
    if (away) for (const proxy of proxies) await proxy.refuse(there);
    for (const proxy of proxies) proxy.reset();
  }
  for (const proxy of proxies) await proxy.refuse(false);
}

async function measure(flapping: Flapping, seconds: number): Promise<void> {
  await using sshd = await startSshd();
  await using echo = await startEcho();
  // Each program has its own proxy: neither sees the other's connections, and both flap at the same moments.
  await using ours = await FaultProxy.start(sshd.port);
  await using theirs = await FaultProxy.start(sshd.port);
  const host = { port: ours.port, known_hosts: knownBehind(sshd, ours.port) };
  await using mesh = await startMesh({ sshd, host, tunnels: { echo: { target: echo.port, while_down: 'refuse' } } });
  const port = await freePort();
  const stop = new AbortController();
  const loop = sshLoop(sshd, theirs.port, port, echo.port, stop.signal);
  await mesh.waitFor(hasSessions(2));
  await waitUntil('ssh serves', () => served(port));
  const over = new AbortController();
  const watched = [mesh.port('echo'), port].map((each) => watch(each, over.signal));
  await flap(flapping, [ours, theirs], performance.now() + seconds * 1_000);
  over.abort();
  const [mine, other] = await Promise.all(watched);
  stop.abort();
  await loop;
  if (mine && other) process.stdout.write(`| ${flapping.name} | ${cells(mine)} | ${cells(other)} |\n`);
}

function cells({ share, longestMs }: Outage): string {
  return `${(share * 100).toFixed(1)} % | ${(longestMs / 1_000).toFixed(2)} s`;
}

process.stdout.write('| the host | fleet-mesh: no service | longest | ssh and sleep 1: no service | longest |\n');
process.stdout.write('| --- | --- | --- | --- | --- |\n');
for (const each of CASES) await measure(each, Number(process.argv[2] ?? 60));
