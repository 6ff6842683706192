/** The program of scripts/soak. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { sleep } from '../../src/base/async/sleep.ts';
import { parseDuration } from '../../src/config/duration.ts';
import { verifyLog } from '../../src/retirement/evidence/verify.ts';
import { httpGet } from '../../tests/support/clients/http-get.ts';
import { startLoop } from '../../tests/support/clients/request-loop.ts';
import { descriptorsOf, residentBytes } from '../../tests/support/machine/daemon-holdings.ts';
import { seededRandom } from '../chaos-run/random.ts';
import { anyPorts } from '../demo-fleet/ports.ts';
import { say } from '../demo-fleet/say.ts';
import { type DemoFleet, startDemoFleet } from '../demo-fleet/start.ts';
import { SOAK_FAULTS } from './faults.ts';
import { type SoakResult, soakPlot, soakReport } from './report.ts';
import { quantile, type Sample, type Strike } from './sample.ts';

const USAGE = `usage: scripts/soak [--for 4h] [--every 10s] [--seed 1] [--out DIR]

Runs the fleet of scripts/demo under load, with rotations and faults, and watches memory, descriptors, latency and the evidence.
Writes report.md, soak.svg and samples.json into DIR (default: test-output/soak). Ctrl-C ends the run early, with a report.
`;

/** A rotation about every 45 s. */
const PACE = { lifeSeconds: 180, renewAfter: 0.25 };
const REQUEST_EVERY_MS = 50;
/** Longer than any fault lasts. */
const PATIENCE_MS = 30_000;
const FAULT_PAUSE_MS = [10_000, 30_000] as const;

interface Options {
  readonly forMs: number;
  readonly everyMs: number;
  readonly seed: number;
}

async function soak(fleet: DemoFleet, { forMs, everyMs, seed }: Options, ended: AbortSignal): Promise<SoakResult> {
  const { ports } = fleet.options;
  const from = performance.now();
  const seconds = () => (performance.now() - from) / 1_000;
  const urls = [`http://127.0.0.1:${ports.stateHub}/state/health`, `http://127.0.0.1:${ports.issueCore}/healthz`];
  let latencies: number[] = [];
  const failures: string[] = [];
  const load = startLoop(async (number) => {
    const begun = performance.now();
    try {
      const { status } = await httpGet(String(urls[number % urls.length]), { timeoutMs: PATIENCE_MS });
      if (status !== 200) throw new Error(`status ${status}`);
      latencies.push(performance.now() - begun);
    } catch (error) {
      failures.push(`${seconds().toFixed(0)} s: ${error instanceof Error ? error.message : error}`);
      throw error;
    }
  }, REQUEST_EVERY_MS);

  const [samples, strikes]: [Sample[], Strike[]] = [[], []];
  const serials = new Set<string>();
  let [broken, told]: [string | undefined, { served: number; failed: number }] = [undefined, { served: 0, failed: 0 }];
  const stop = new AbortController();
  const over = stop.signal;
  // Not AbortSignal.timeout() within AbortSignal.any(): Node 20 may collect such a signal before the time is over.
  const timer = setTimeout(() => stop.abort(), forMs);
  if (ended.aborted) stop.abort();
  ended.addEventListener('abort', () => stop.abort(), { once: true });
  void fleet.daemon.exit.then(({ code, signal }) => {
    broken = `the daemon ended (${signal ?? `exit code ${code}`})`;
    stop.abort();
  });

  const strikeOn = async () => {
    const random = seededRandom(seed);
    for (;;) {
      const [least, most] = FAULT_PAUSE_MS;
      await sleep(least + random() * (most - least), over).catch(() => {});
      if (over.aborted) return;
      const fault = SOAK_FAULTS[Math.floor(random() * SOAK_FAULTS.length)];
      if (fault === undefined) return;
      const strike = async () => {
        strikes.push({ at: seconds(), name: fault.name });
        await fault.strike(fleet);
      };
      await (fault.cuts ? load.atRest(strike) : strike());
    }
  };
  const look = async () => {
    const took = latencies;
    latencies = [];
    const counts = { served: load.served(), failed: load.failed() };
    const { problems, entries } = await verifyLog(join(dirname(fleet.configFile), 'state'));
    for (const link of (await fleet.daemon.status()).links) {
      if (link.credential.serial !== null) serials.add(link.credential.serial);
    }
    samples.push({
      at: seconds(),
      residentBytes: residentBytes(fleet.daemon.pid),
      fds: descriptorsOf(fleet.daemon.pid).length,
      served: counts.served - told.served,
      failed: counts.failed - told.failed,
      medianMs: quantile(took, 0.5),
      p99Ms: quantile(took, 0.99),
      entries,
      chain: problems.length === 0 ? 'whole' : 'broken',
    });
    told = counts;
  };
  const watchOn = async () => {
    while (!over.aborted) {
      await sleep(everyMs, over).catch(() => {});
      if (broken === undefined) await look();
    }
  };
  const mishap = (error: unknown) => {
    broken ??= error instanceof Error ? error.message : String(error);
    stop.abort();
  };
  await Promise.all([strikeOn().catch(mishap), watchOn().catch(mishap)]);
  clearTimeout(timer);
  await load.stop();
  return { seed, samples, strikes, rotations: Math.max(0, serials.size - 1), failures, broken };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      for: { type: 'string', default: '4h' },
      every: { type: 'string', default: '10s' },
      seed: { type: 'string', default: '1' },
      out: { type: 'string', default: 'test-output/soak' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [forMs, everyMs, seed] = [parseDuration(values.for), parseDuration(values.every), Number(values.seed)];
  if (!forMs || !everyMs || !Number.isInteger(seed)) {
    process.stderr.write(
      `scripts/soak: --for and --every need a duration such as 10s, --seed a whole number\n${USAGE}`,
    );
    return 64;
  }
  const { FLEET_MESH_CALLED_FROM = process.cwd() } = process.env;
  const out = resolve(FLEET_MESH_CALLED_FROM, values.out);
  const ended = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ended.abort());
  await using fleet = await startDemoFleet({ ports: await anyPorts(), ...PACE }, ended.signal);
  fleet.coulombcore.ca?.comeUp();
  say(`Soaking for ${values.for}; the report goes to ${out}`);
  const result = await soak(fleet, { forMs, everyMs, seed }, ended.signal);
  const { text, passed } = soakReport(result);
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'report.md'), text);
  writeFileSync(join(out, 'soak.svg'), soakPlot(result));
  writeFileSync(join(out, 'samples.json'), `${JSON.stringify(result, null, 1)}\n`);
  process.stdout.write(`\n${text}`);
  return passed ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`scripts/soak: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
