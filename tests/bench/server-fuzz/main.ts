import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { byKey } from '../../support/certificates/certified-login.ts';
import { connectSession, loopback, never, originator } from '../../support/clients/ssh-session.ts';
import { LoopGap } from '../../support/loop-gap.ts';
import { expectNoLeaks, takeBaseline } from '../../support/machine/leaks.ts';
import { publicBlob } from '../../support/peers/embedded-key.ts';
import { describeCase, HONEST } from '../../support/peers/hostile/hostile-server.ts';
import { within } from '../../support/wait-until.ts';
import type { Honest, Hostile, Started, ToServers } from './servers.ts';
import { meet } from './victim.ts';

/**
 * `npx tsx tests/bench/server-fuzz/main.ts [CASES] [SEED] [AT_ONCE]`: a client meets so many hostile servers, 2,000 if not
 * said otherwise. Ends with 1 when the client crashes, shows an error without a plain code, keeps anything, takes too much
 * memory, stands still, or disturbs a session with an honest server. `SEED` repeats a run, and `1 SEED` one case.
 */
/** One server may take so much beyond the memory after the first ones; few of many at once take anything. */
const MOST_MB = 64;
const MOST_MB_EACH = 4;
/** Work without a turn of the event loop. Honest servers may need longer on a slow machine: then twice their time. */
const MOST_STILL_MS = 100;
const WARM_UP = 16;

const SERVERS = fileURLToPath(new URL('servers.ts', import.meta.url));

function startServers(kind: string): ChildProcess {
  return fork(SERVERS, [kind], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

async function main(cases: number, seed: number, atOnce: number): Promise<number> {
  const failures: string[] = [];
  process.on('uncaughtException', (error) => failures.push(`uncaught exception: ${error.stack}`));
  process.on('unhandledRejection', (reason) =>
    failures.push(`unhandled rejection: ${reason instanceof Error ? reason.stack : reason}`),
  );
  const [hostile, honest] = [startServers('hostile'), startServers('honest')];
  const [[hello], [friend]] = (await Promise.all([once(hostile, 'message'), once(honest, 'message')])) as [
    [Hostile],
    [Honest],
  ];
  const authMethods = byKey(friend);
  const hostKey = publicBlob(hello.hostKey);

  const ports = new Map<number, (port: number) => void>();
  hostile.on('message', ({ started, port }: Started) => ports.get(started)?.(port));
  hostile.once('exit', (code) => failures.push(`the hostile servers ended with ${code}`));
  const ask = (message: ToServers) => hostile.connected && hostile.send(message);
  const codes = new Map<string, number>();
  let id = 0;
  const run = async (seed: number) => {
    const number = id++;
    const port = await new Promise<number>((resolve) => {
      ports.set(number, resolve);
      ask({ start: number, seed });
    });
    ports.delete(number);
    const { code, wrong } = await meet({ port, user: friend.user, authMethods, hostKey }, hello.echo);
    ask({ stop: number });
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (wrong !== undefined) failures.push(`seed ${seed} (${describeCase(seed)}): ${wrong}`);
  };
  const runAll = async (seeds: readonly number[]) => {
    const left = [...seeds];
    const turns = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await run(next);
    };
    const gap = new LoopGap();
    await Promise.all(Array.from({ length: atOnce }, turns));
    return gap.stop();
  };
  const attacks = Array.from({ length: cases }, (_, number) => seed + number);

  const session = await connectSession(friend);
  const { stream } = await session.open(loopback(friend.echo), originator, never);
  let running = true;
  let slowestMs = 0;
  const talk = async () => {
    while (running) {
      const from = performance.now();
      const answer = once(stream, 'data');
      stream.write('still here?');
      await within('the honest session answers', answer, 5_000).catch(({ message }: Error) => failures.push(message));
      slowestMs = Math.max(slowestMs, performance.now() - from);
      await pause(20);
    }
  };

  await runAll(attacks.slice(0, WARM_UP));
  codes.clear();
  const honestMs = await runAll(Array.from({ length: WARM_UP }, () => HONEST));
  if (!codes.has('lived')) failures.push('no session with an honest server lived');
  codes.clear();
  const baseline = await takeBaseline();
  const talking = talk();
  const before = process.memoryUsage.rss();
  let most = before;
  const look = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 10);
  const from = performance.now();
  const stillMs = await runAll(attacks);
  const seconds = (performance.now() - from) / 1000;
  clearInterval(look);
  running = false;
  await talking;
  await expectNoLeaks(baseline).catch((error: Error) => failures.push(error.message));
  if (!session.usable) failures.push('the honest session was lost');
  await session.end();
  hostile.removeAllListeners('exit');
  for (const child of [hostile, honest]) child.kill('SIGKILL');

  const megabytes = (most - before) / 1e6;
  if (megabytes > MOST_MB + MOST_MB_EACH * atOnce) failures.push(`memory grew by ${megabytes.toFixed(0)} MB`);
  if (stillMs > Math.max(MOST_STILL_MS, 2 * honestMs))
    failures.push(`the event loop stood still for ${stillMs.toFixed(0)} ms`);
  for (const failure of failures.slice(0, 20)) process.stderr.write(`FAILED: ${failure}\n`);
  const seen = [...codes].sort(([, a], [, b]) => b - a).map(([code, count]) => `${code} ${count}`);
  process.stdout.write(
    `seed ${seed}: ${cases} hostile servers in ${seconds.toFixed(1)} s (${seen.join(', ')}); +${megabytes.toFixed(0)} MB, event ` +
      `loop ${stillMs.toFixed(0)} ms (honest servers ${honestMs.toFixed(0)} ms), slowest answer of the honest session ${slowestMs.toFixed(0)} ms; ${failures.length} failures\n`,
  );
  return failures.length === 0 ? 0 : 1;
}

const [cases = '2000', seed = `${Date.now() % 2 ** 31}`, atOnce = '16'] = process.argv.slice(2);
process.exit(await main(Number(cases), Number(seed), Number(atOnce)));
