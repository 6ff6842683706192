import { existsSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Status, status as statusSchema } from '../../../src/telemetry/status/status.ts';
import { type HttpAnswer, httpGet } from '../clients/http-get.ts';
import { type Exit, type OwnedProcess, spawnOwned } from '../machine/owned-process.ts';
import { waitUntil } from '../wait-until.ts';

const CLI = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));

export interface DaemonOptions {
  readonly configFile: string;
  /** The port of the HTTP endpoint, as in the YAML. */
  readonly endpointPort: number;
  readonly env?: Record<string, string | undefined>;
  readonly args?: readonly string[];
  /** A wrapper command that runs the daemon from its arguments. */
  readonly wrapper?: readonly string[];
}

export interface Daemon extends AsyncDisposable {
  readonly pid: number;
  readonly exit: Promise<Exit>;
  /** stderr as text. */
  log(): string;
  /** The NDJSON records of stderr. */
  records(): Record<string, unknown>[];
  /** GET on the endpoint. */
  get(path: string, headers?: Record<string, string>): Promise<HttpAnswer>;
  /** GET /status. */
  status(): Promise<Status>;
  /** Waits until the status matches the predicate. An unreachable daemon is retried; an ended daemon is an error. */
  waitFor(predicate: (status: Status) => boolean, ms?: number): Promise<Status>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, then the exit status; SIGKILL if it takes too long. */
  stop(): Promise<Exit>;
}

/** Runs the built program as a child. Build first (`npm run build`). */
export function startDaemon(options: DaemonOptions): Daemon {
  const process = spawnCli(
    ['run', '--config', options.configFile, ...(options.args ?? [])],
    options.env,
    options.wrapper,
  );
  const get = async (path: string, headers?: Record<string, string>) => {
    const answer = await httpGet(`http://127.0.0.1:${options.endpointPort}${path}`, {
      headers: { accept: 'application/json', ...headers },
      timeoutMs: 15_000,
    });
    // The daemon logs before an answer: with one more turn of the event loop, this process has read the lines as well.
    await turn();
    return answer;
  };
  const status = async () => statusSchema.parse(JSON.parse((await get('/status')).body));
  const over = () => process.child.exitCode !== null || process.child.signalCode !== null;
  return {
    pid: process.pid,
    exit: process.exit,
    log: process.stderr,
    records: () => process.stderr().split('\n').flatMap(parseRecord),
    get,
    status,
    waitFor: async (predicate, ms = 15_000) => {
      let last: Status | undefined;
      const explain = () => `last status: ${summary(last)}\nlog of the daemon:\n${tail(process.stderr())}`;
      const found = await waitUntil(
        'the daemon reports the state waited for',
        async () => {
          if (over()) return 'over' as const;
          last = await status().catch(() => undefined);
          return last !== undefined && predicate(last) ? last : undefined;
        },
        ms,
        explain,
      );
      if (found === 'over') throw new Error(`the daemon has ended: ${explain()}`);
      return found;
    },
    signal: (name) => process.child.kill(name),
    stop: () => process.stop('SIGTERM'),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

export interface CliResult extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command of the built program to its end. */
export async function runCli(args: readonly string[], env?: Record<string, string | undefined>): Promise<CliResult> {
  await using process = spawnCli(args, env);
  const expire = setTimeout(() => process.child.kill('SIGKILL'), 120_000);
  const exit = await process.exit.finally(() => clearTimeout(expire));
  // As above: what the daemon has logged for this command is read.
  await turn();
  return { ...exit, stdout: process.stdout(), stderr: process.stderr() };
}

/** Starts one command of the built program. */
export function spawnCli(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
  wrapper: readonly string[] = [],
): OwnedProcess {
  if (!existsSync(CLI)) throw new Error('dist/cli.js is missing: run `npm run build` first');
  const [program = process.execPath, ...rest] = [...wrapper, process.execPath, CLI, ...args];
  return spawnOwned(program, rest, { env: { ...process.env, ...env } });
}

function parseRecord(line: string): Record<string, unknown>[] {
  try {
    return [JSON.parse(line) as Record<string, unknown>];
  } catch {
    return [];
  }
}

/** The short status for the message of a failed wait. */
function summary(status: Status | undefined): string {
  if (status === undefined) return 'none';
  const lines = status.tunnels.map(({ name, state, reason, usage }) => {
    return `  ${name} ${state}: ${reason}, usage ${JSON.stringify({ ...usage, clients: undefined })}`;
  });
  const links = status.links.map(({ host, actor, state, sessions, last_error }) => {
    const ids = sessions.map(({ id, role }) => `${role} ${id}`).join(', ');
    return `  ${actor}@${host} ${state}, sessions [${ids}], last error ${last_error?.code ?? 'none'}`;
  });
  return [status.state, ...lines, ...links].join('\n');
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-20).join('\n');
}
