import { sleep } from '../../base/async/sleep.ts';
import type { TcpAddress } from '../../base/net/address.ts';
import { printable } from '../../base/text/printable.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { statusText } from '../text/status.ts';
import { EXIT, type ExitCode } from './command.ts';
import { fetchStatus, StatusUnavailable } from './fetch-status.ts';
import { type EndpointOptions, findEndpoint, notAnEndpoint } from './find-endpoint.ts';
import type { Terminal } from './terminal.ts';
import { unknownTunnel } from './unknown-tunnel.ts';
import { type Keyboard, watchScreen } from './watch-screen.ts';

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
  err(text: string, code?: string): void;
  /** How `out` looks now: the width of a terminal may change. */
  look(): Terminal;
  /** For a watch with keys; undefined without a person. */
  readonly keyboard?: Keyboard | undefined;
  /** Ends a watch (Ctrl-C) or the wait for an answer. */
  readonly signal: AbortSignal;
}

const WATCH_MS = 2_000;

/** Cursor home and erase: a shorter table must not leave old lines behind. */
const REDRAW = '\x1b[H\x1b[2J';

/** One result: the text to show, a text that differs only after a change, and the exit code. */
interface Look {
  readonly text: string;
  readonly change: string;
  readonly code: ExitCode;
  /** The stable name of the error; undefined for a snapshot. */
  readonly error?: string;
}

/** `fleet-mesh status [NAME] [--json] [--watch]`. Settles with the exit code; never rejects. */
export async function statusCommand(options: StatusOptions, io: StatusIo): Promise<ExitCode> {
  const endpoint = await findEndpoint(options, io.err);
  if (endpoint === undefined) {
    io.err(notAnEndpoint(options));
    return EXIT.usage;
  }
  if (options.watch !== true) return once(endpoint, options, io);
  const { keyboard } = io;
  return keyboard === undefined || options.json === true
    ? watch(endpoint, options, io)
    : watchWithKeys(endpoint, options, { ...io, keyboard });
}

async function once(endpoint: TcpAddress, options: StatusOptions, io: StatusIo): Promise<ExitCode> {
  const seen = await look(endpoint, options, io);
  if (seen === undefined) return EXIT.unknown;
  if (seen.error !== undefined) io.err(seen.text, seen.error);
  else io.out(seen.text);
  return seen.code;
}

async function watchWithKeys(
  endpoint: TcpAddress,
  options: StatusOptions,
  io: StatusIo & { readonly keyboard: Keyboard },
): Promise<ExitCode> {
  // A misspelt name must not open a screen.
  const first = options.name === undefined ? undefined : await look(endpoint, options, io);
  if (first?.code === EXIT.noSuchTunnel) {
    io.err(first.text, first.error);
    return first.code;
  }
  const ask = async () => {
    try {
      return await fetchStatus(endpoint, io.signal);
    } catch (error) {
      if (io.signal.aborted) return undefined;
      if (error instanceof StatusUnavailable) return `fleet-mesh: ${printable(error.message)}`;
      throw error;
    }
  };
  const last = await watchScreen({ name: options.name, everyMs: WATCH_MS }, { ...io, ask });
  if (last === undefined) return EXIT.unknown;
  const subject = options.name === undefined ? last : only(last, options.name)?.tunnels[0];
  return subject?.state === 'up' ? EXIT.ok : EXIT.failed;
}

/** Redraws a terminal. Other outputs get one line for each change, as JSON or text. */
async function watch(endpoint: TcpAddress, options: StatusOptions, io: StatusIo): Promise<ExitCode> {
  let code: ExitCode = EXIT.unknown;
  let shown: string | undefined;
  while (!io.signal.aborted) {
    const seen = await look(endpoint, options, io);
    if (seen === undefined) break;
    code = seen.code;
    if (io.look().isTty && options.json !== true) {
      io.out(`${REDRAW}${seen.text}\n(every ${WATCH_MS / 1_000} s; Ctrl-C ends)\n`);
    } else if (seen.change !== shown) {
      if (options.json === true && seen.error === undefined) io.out(seen.text);
      else {
        const line = `${new Date().toISOString()} ${seen.change}\n`;
        if (seen.error === undefined) io.out(line);
        else io.err(line, seen.error);
      }
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
    const text = `fleet-mesh: ${error.message}\n${error.hint}\n`;
    return { text, change: error.message, code: EXIT.unknown, error: 'unreachable' };
  }
}

function describe(status: Status, options: StatusOptions, io: StatusIo): Look {
  const chosen = options.name === undefined ? status : only(status, options.name);
  if (chosen === undefined) {
    const text = unknownTunnel(options.name ?? '', status);
    return { text: `fleet-mesh: ${text}\n`, change: text, code: EXIT.noSuchTunnel, error: 'unknown_tunnel' };
  }
  const [tunnel] = chosen.tunnels;
  const subject = options.name === undefined ? chosen : tunnel;
  return {
    text:
      options.json === true
        ? `${jsonOf(subject, options)}\n`
        : statusText(chosen, { ...io.look(), clients: options.name !== undefined }),
    change: changeOf(chosen, options),
    code: subject?.state === 'up' ? EXIT.ok : EXIT.failed,
  };
}

/** A watch writes NDJSON, one line for each change. */
function jsonOf(subject: unknown, options: StatusOptions): string {
  return options.watch === true ? JSON.stringify(subject) : JSON.stringify(subject, null, 2);
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
