import type { z } from 'zod';
import type { Refusal } from '../../base/refusal.ts';
import { printable } from '../../base/text/printable.ts';
import { CommandRefused, ControlUnavailable, command } from '../control/client.ts';
import {
  type ControlRequest,
  reloadResult,
  rotateResult,
  type TunnelsResult,
  tunnelsResult,
} from '../control/protocol.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { findSocket, type SocketOptions } from './find-socket.ts';

export interface ControlOptions extends SocketOptions {
  readonly json: boolean;
}

/** What the commands touch of the process. */
export interface ControlIo extends CommandIo {
  /** Gives up the wait (Ctrl-C): the daemon finishes what it has begun. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/** `fleet-mesh reload`: has the file read again, and waits for what becomes of it. */
export function reload(options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  return carryOut(options, io, { command: 'reload' }, reloadResult, ({ changes }) => `reloaded: ${changes}`);
}

/** `fleet-mesh up NAME…`: back into service. */
export function up(names: readonly string[], options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  return carryOut(options, io, { command: 'up', names: [...names] }, tunnelsResult, (result) =>
    describeTunnels(result),
  );
}

/** `fleet-mesh down NAME…`: out of service, once no connection is open any more. */
export function down(names: readonly string[], options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  const lasting = `This lasts across reloads, until \`fleet-mesh up ${names.join(' ')}\` or a restart of the daemon.`;
  return carryOut(
    options,
    io,
    { command: 'down', names: [...names] },
    tunnelsResult,
    (result) => `${describeTunnels(result)}\n${lasting}`,
  );
}

/** `fleet-mesh rotate ACTOR`: a new credential now. */
export function rotate(actor: string, options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  return carryOut(options, io, { command: 'rotate', actor }, rotateResult, ({ outcome }) => printable(outcome));
}

function describeTunnels({ tunnels }: TunnelsResult): string {
  return tunnels
    .map(({ name, state, reason }) => `${printable(name)}: ${state}${reason === null ? '' : `: ${printable(reason)}`}`)
    .join('\n');
}

/** Has the daemon carry out a command, and prints what came of it: `codeOf` says whether that is what was wanted. */
export async function carryOut<Result>(
  options: ControlOptions,
  io: ControlIo,
  request: ControlRequest,
  schema: z.ZodType<Result>,
  describe: (result: Result) => string,
  codeOf: (result: Result) => ExitCode = () => EXIT.ok,
): Promise<ExitCode> {
  const found = await findSocket(options, io.env);
  if ('problem' in found) {
    return socketUnknown(options, io, found.problem);
  }
  try {
    const tell = (line: string) => void (options.json || io.out(`${printable(line, 4_000)}\n`));
    const result = await command(found.path, request, schema, io.signal, undefined, tell);
    const code = codeOf(result);
    const ok = code === EXIT.ok;
    io.out(options.json ? `${JSON.stringify({ ok, result }, null, 2)}\n` : `${describe(result)}\n`);
    return code;
  } catch (error) {
    if (io.signal.aborted) return EXIT.failed;
    if (error instanceof CommandRefused) return refuse(options, io, exitCodeOf(error.refusal), error.refusal);
    if (!(error instanceof ControlUnavailable)) throw error;
    return unreachable(options, io, error.message);
  }
}

/** The configuration may say where the socket is, and cannot be read. */
export function socketUnknown(options: ControlOptions, io: ControlIo, problem: string): ExitCode {
  return refuse(options, io, EXIT.configuration, {
    code: 'config_invalid',
    message: `the control socket cannot be found: ${options.config} may name it, but cannot be read`,
    hint: 'Mend the file, or name the socket with --socket.',
    details: [problem],
  });
}

export function unreachable(options: ControlOptions, io: ControlIo, message: string): ExitCode {
  const hint = 'Is the daemon running (`systemctl status fleet-mesh`)? Another socket: --socket or --config.';
  return refuse(options, io, EXIT.unknown, { code: 'unreachable', message, hint, details: [] });
}

/** Says why a command was not carried out; returns `code`. */
export function refuse(options: ControlOptions, io: ControlIo, code: ExitCode, refusal: Refusal): ExitCode {
  if (options.json) {
    io.out(`${JSON.stringify({ ok: false, error: refusal }, null, 2)}\n`);
    return code;
  }
  const { message, hint, details } = refusal;
  const lines = [...details.map((line) => printable(line)), `fleet-mesh: ${printable(message)}`, printable(hint)];
  io.err(`${lines.join('\n')}\n`);
  return code;
}

export function exitCodeOf({ code }: Refusal): ExitCode {
  switch (code) {
    case 'unknown_tunnel':
    case 'unknown_actor':
      return EXIT.noSuchTunnel;
    case 'config_invalid':
      return EXIT.configuration;
    case 'not_ready':
    case 'verdict_unknown':
      return EXIT.unknown;
    case 'cannot_override':
      return EXIT.usage;
    default:
      return EXIT.failed;
  }
}
