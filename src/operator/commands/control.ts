import type { z } from 'zod';
import type { Refusal } from '../../base/refusal.ts';
import { printable, visible } from '../../base/text/printable.ts';
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

/** The parts of the process that the commands use. */
export interface ControlIo extends CommandIo {
  /** Stops waiting (Ctrl-C). The daemon still finishes the command. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * `fleet-mesh reload`: makes the daemon read its configuration again. Waits for the moved tunnels and the new logins. A
 * target that is down is reported, but fails no reload: the target may come up later.
 */
export function reload(options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  return carryOut(
    options,
    io,
    { command: 'reload' },
    reloadResult,
    ({ changes, tunnels }) => [`reloaded: ${changes}`, ...linesOn(tunnels)].join('\n'),
    ({ blocked }) => (blocked.length > 0 ? EXIT.failed : EXIT.ok),
  );
}

/** `fleet-mesh up NAME…`: puts tunnels back into service, and waits up to ten seconds until they are up. */
export function up(names: readonly string[], options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  const request: ControlRequest = { command: 'up', names: [...names] };
  return carryOut(options, io, request, tunnelsResult, describeTunnels, ({ tunnels }) =>
    tunnels.every(({ state }) => state === 'up') ? EXIT.ok : EXIT.failed,
  );
}

/** `fleet-mesh down NAME…`: takes tunnels out of service, and waits until their connections are closed. */
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

/** `fleet-mesh rotate ACTOR`: gives the actor a new credential now. */
export function rotate(actor: string, options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  return carryOut(options, io, { command: 'rotate', actor }, rotateResult, ({ outcome }) => printable(outcome));
}

function describeTunnels({ tunnels }: TunnelsResult): string {
  return linesOn(tunnels).join('\n');
}

function linesOn(tunnels: TunnelsResult['tunnels']): string[] {
  return tunnels.map(
    ({ name, state, reason }) => `${printable(name)}: ${state}${reason === null ? '' : `: ${printable(reason)}`}`,
  );
}

/** Sends a command to the daemon and prints the result; `codeOf` turns the result into an exit code. */
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

/** Reports an unreadable configuration, which may name the socket. */
export function socketUnknown(options: ControlOptions, io: ControlIo, problem: string): ExitCode {
  return refuse(options, io, EXIT.configuration, {
    code: 'config_invalid',
    message: `cannot find the control socket: ${options.config} is not readable`,
    hint: 'Fix the file, or name the socket with --socket.',
    details: [problem],
  });
}

export function unreachable(options: ControlOptions, io: ControlIo, message: string): ExitCode {
  const hint =
    'Is the daemon running (`systemctl status fleet-mesh`)? Start one with `fleet-mesh run`. For another socket use --socket or --config.';
  return refuse(options, io, EXIT.unknown, { code: 'unreachable', message, hint, details: [] });
}

/** Says why a command was not carried out; returns `code`. */
export function refuse(options: ControlOptions, io: ControlIo, code: ExitCode, refusal: Refusal): ExitCode {
  if (options.json) {
    io.out(`${JSON.stringify({ ok: false, error: refusal }, null, 2)}\n`);
    return code;
  }
  const { message, hint, details } = refusal;
  const lines = [...details.map((detail) => visible(detail)), `fleet-mesh: ${printable(message)}`, printable(hint)];
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
