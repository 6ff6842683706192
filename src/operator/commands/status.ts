import { sleep } from '../../base/async/sleep.ts';
import type { TcpAddress } from '../../base/net/address.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { statusText } from '../text/status.ts';
import { EXIT, type ExitCode } from './command.ts';
import { fetchStatus, StatusUnavailable } from './fetch-status.ts';
import { type EndpointOptions, findEndpoint, notAnEndpoint, UNREACHABLE_HINT } from './find-endpoint.ts';
import { unknownTunnel } from './unknown-tunnel.ts';

/** Arguments of `fleet-mesh status`. */
export interface StatusOptions extends EndpointOptions {
  /** Show only this tunnel. */
  readonly name?: string | undefined;
  readonly json?: boolean | undefined;
  readonly watch?: boolean | undefined;
}

/** The parts of the process that the command uses. */
export interface StatusIo {
  out(text: string): void;
  err(text: string): void;
  /** Whether `out` is a terminal. */
  readonly isTty: boolean;
  /** Width of the terminal. */
  readonly columns?: number | undefined;
  /** Ends a watch (Ctrl-C) or the wait for an answer. */
  readonly signal: AbortSignal;
  /** `NO_COLOR` is read; the process's environment by default. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

const WATCH_MS = 2_000;

/** Cursor home and erase: a shorter table must not leave old lines behind. */
const REDRAW = '\x1b[H\x1b[2J';

/** One result: the text to show, a text that differs only after a change, and the exit code. */
interface Look {
  readonly text: string;
  readonly change: string;
  readonly code: ExitCode;
  readonly failed: boolean;
}

/** `fleet-mesh status [NAME] [--json] [--watch]`. Settles with the exit code; never rejects. */
export async function statusCommand(options: StatusOptions, io: StatusIo): Promise<ExitCode> {
  const endpoint = await findEndpoint(options, io.err);
  if (endpoint === undefined) {
    io.err(notAnEndpoint(options));
    return EXIT.usage;
  }
  return options.watch === true ? watch(endpoint, options, io) : once(endpoint, options, io);
}

async function once(endpoint: TcpAddress, options: StatusOptions, io: StatusIo): Promise<ExitCode> {
  const seen = await look(endpoint, options, io);
  if (seen === undefined) return EXIT.unknown;
  if (seen.failed) io.err(seen.text);
  else io.out(seen.text);
  return seen.code;
}

/** Redraws a terminal. Other outputs get one line for each change, as JSON or text. */
async function watch(endpoint: TcpAddress, options: StatusOptions, io: StatusIo): Promise<ExitCode> {
  let code: ExitCode = EXIT.unknown;
  let shown: string | undefined;
  while (!io.signal.aborted) {
    const seen = await look(endpoint, options, io);
    if (seen === undefined) break;
    code = seen.code;
    if (io.isTty && options.json !== true) {
      io.out(`${REDRAW}${seen.text}\n(every ${WATCH_MS / 1_000} s; Ctrl-C ends)\n`);
    } else if (seen.change !== shown) {
      if (options.json === true && !seen.failed) io.out(seen.text);
      else (seen.failed ? io.err : io.out)(`${new Date().toISOString()} ${seen.change}\n`);
      shown = seen.change;
    }
    await sleep(WATCH_MS, io.signal).catch(() => {});
  }
  return code;
}

/** Asks the daemon once; undefined if the command was aborted. */
async function look(endpoint: TcpAddress, options: StatusOptions, io: StatusIo): Promise<Look | undefined> {
  try {
    return describe(await fetchStatus(endpoint, io.signal), options, io);
  } catch (error) {
    if (io.signal.aborted) return undefined;
    if (!(error instanceof StatusUnavailable)) throw error;
    const text = `fleet-mesh: ${error.message}\n${UNREACHABLE_HINT}\n`;
    return { text, change: error.message, code: EXIT.unknown, failed: true };
  }
}

function describe(status: Status, options: StatusOptions, io: StatusIo): Look {
  const chosen = options.name === undefined ? status : only(status, options.name);
  if (chosen === undefined) {
    const text = unknownTunnel(options.name ?? '', status);
    return { text: `fleet-mesh: ${text}\n`, change: text, code: EXIT.noSuchTunnel, failed: true };
  }
  const [tunnel] = chosen.tunnels;
  const subject = options.name === undefined ? chosen : tunnel;
  return {
    text:
      options.json === true
        ? `${jsonOf(subject, options)}\n`
        : statusText(chosen, { ...textOptions(io), clients: options.name !== undefined }),
    change: changeOf(chosen, options),
    code: subject?.state === 'up' ? EXIT.ok : EXIT.failed,
    failed: false,
  };
}

/** A watch writes NDJSON, one line for each change. */
function jsonOf(subject: unknown, options: StatusOptions): string {
  return options.watch === true ? JSON.stringify(subject) : JSON.stringify(subject, null, 2);
}

/** How a table is written to this output. */
export function textOptions(io: StatusIo) {
  const { NO_COLOR } = io.env ?? process.env;
  // no-color.org: set and not empty.
  return {
    colour: io.isTty && (NO_COLOR === undefined || NO_COLOR === ''),
    columns: io.isTty ? io.columns : undefined,
  };
}

/** The snapshot narrowed to one tunnel and its link. */
function only(status: Status, name: string): Status | undefined {
  const tunnel = status.tunnels.find((candidate) => candidate.name === name);
  if (tunnel === undefined) return undefined;
  const links = status.links.filter(({ host, actor }) => host === tunnel.host && actor === tunnel.actor);
  return { ...status, tunnels: [tunnel], links };
}

/** Only states: numbers change all the time. */
function changeOf(status: Status, options: StatusOptions): string {
  const tunnels = status.tunnels.map(
    ({ name, state, reason }) => `${name} ${state}${reason === null ? '' : ` (${reason})`}`,
  );
  return [...(options.name === undefined ? [status.state] : []), ...tunnels].join(', ');
}
