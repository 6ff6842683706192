import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { seededRandom } from '../chaos-run/random.ts';
import { autossh, type Clients, fixedRestart, fleetMesh } from './clients.ts';
import { plot } from './plot.ts';
import { markdownTable } from './report.ts';
import { USUAL_SERVER } from './server.ts';
import { type Storm, simulateStorm } from './storm.ts';

const USAGE = `usage: scripts/simulate-storm [--nodes N,…] [--sessions N] [--outage SECONDS] [--per-address N] [--login MS]
  [--seed S] [--until SECONDS] [--limit SECONDS] [--json] [--write]
--until bounds the simulated time of one run, --limit its real time. --write puts the table, the figures and the plot into docs/.
`;

const PAGE = 'docs/scale.md';
const FIGURES = 'docs/storm.json';
const PLOT = 'docs/images/storm.svg';
/** The page of docs has the table between these lines. */
const TABLE = /(<!-- storm -->\n\n)[\s\S]*?(\n\n<!-- end of storm -->)/;
/** The plot shows the storm of this many nodes, or the largest one. */
const PLOTTED_NODES = 10_000;

/** The time in which the nodes notice the restart, in milliseconds: the kernel resets their connections. */
const NOTICE_MS = 50;

function readArguments() {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '100,1000,10000' },
      sessions: { type: 'string', default: '2' },
      outage: { type: 'string', default: '10' },
      'per-address': { type: 'string', default: '1' },
      login: { type: 'string', default: String(USUAL_SERVER.loginMs) },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000_000)) },
      until: { type: 'string', default: '3600' },
      limit: { type: 'string', default: '120' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const whole = (name: 'sessions' | 'outage' | 'per-address' | 'login' | 'seed' | 'until' | 'limit', least: number) => {
    const number = Number(values[name]);
    if (!Number.isSafeInteger(number) || number < least) throw new Error(`--${name} needs a whole number`);
    return number;
  };
  const nodes = values.nodes.split(',').map(Number);
  if (nodes.some((count) => !Number.isSafeInteger(count) || count < 1 || count > 1_000_000))
    throw new Error('--nodes needs whole numbers from 1 to 1000000, separated by commas');
  return {
    nodes,
    sessions: whole('sessions', 1),
    outageS: whole('outage', 0),
    nodesPerAddress: whole('per-address', 1),
    loginMs: whole('login', 1),
    seed: whole('seed', 0),
    untilS: whole('until', 1),
    limitS: whole('limit', 1),
    json: values.json,
    write: values.write,
  };
}

type Wanted = NonNullable<ReturnType<typeof readArguments>>;

function simulateAll({
  nodes: sizes,
  sessions,
  outageS,
  nodesPerAddress,
  loginMs,
  seed,
  untilS,
  limitS,
}: Wanted): Storm[] {
  const kinds: ((nodes: number, random: () => number) => Clients)[] = [
    (nodes, random) => fleetMesh({ nodes, sessions, random }),
    (_, random) => fixedRestart(5, random),
    autossh,
  ];
  return sizes.flatMap((nodes) =>
    kinds.map((make) => {
      const random = seededRandom(seed);
      const clients = make(nodes, random);
      process.stderr.write(`${nodes} nodes: ${clients.name}\n`);
      const until = process.hrtime.bigint() + BigInt(limitS) * 1_000_000_000n;
      const server = { ...USUAL_SERVER, outageMs: outageS * 1_000, nodesPerAddress, loginMs };
      const enough = () => process.hrtime.bigint() > until;
      return simulateStorm({ nodes, server, untilMs: untilS * 1_000, noticeMs: NOTICE_MS, random, enough }, clients);
    }),
  );
}

function write(storms: readonly Storm[], { seed }: Wanted): void {
  const figures = storms.map(({ back: _back, arrivals: _arrivals, ...figure }) => figure);
  writeFileSync(FIGURES, `${JSON.stringify({ seed, server: USUAL_SERVER, storms: figures }, null, 2)}\n`);
  const largest = Math.max(...storms.map(({ nodes }) => nodes));
  const shown = storms.some(({ nodes }) => nodes === PLOTTED_NODES) ? PLOTTED_NODES : largest;
  const drawn = storms.filter(({ nodes }) => nodes === shown);
  const seconds = Math.ceil(1.25 * Math.max(...drawn.map(({ backSeconds }) => backSeconds ?? 0), 8));
  writeFileSync(PLOT, plot(drawn, seconds));
  const page = readFileSync(PAGE, 'utf8');
  writeFileSync(
    PAGE,
    page.replace(TABLE, (_, before: string, after: string) => before + markdownTable(storms) + after),
  );
}

function main(): void {
  const wanted = readArguments();
  if (wanted === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  process.stderr.write(`seed ${wanted.seed}\n`);
  const storms = simulateAll(wanted);
  if (wanted.json) process.stdout.write(`${JSON.stringify({ seed: wanted.seed, storms }, null, 2)}\n`);
  else process.stdout.write(`${markdownTable(storms)}\n`);
  if (wanted.write) write(storms, wanted);
}

try {
  main();
} catch (error) {
  process.stderr.write(`scripts/simulate-storm: ${error instanceof Error ? error.message : error}\n${USAGE}`);
  process.exitCode = 64;
}
