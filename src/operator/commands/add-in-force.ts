import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf } from '../../base/home.ts';
import { shellWord } from '../../config/command-line.ts';
import { type DefaultPathEnvironment, defaultConfigPath } from '../../config/paths.ts';
import { CommandRefused, ControlUnavailable, command } from '../control/client.ts';
import { reloadResult } from '../control/protocol.ts';
import { findPresence } from '../presence/find.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { exitCodeOf } from './control.ts';
import { wait } from './wait.ts';

export interface InForceOptions {
  /** The tunnel. */
  readonly name: string;
  readonly config: string;
  readonly socket: string | undefined;
  readonly timeout: string;
  readonly json: boolean;
}

export interface InForce {
  readonly code: ExitCode;
  readonly report: {
    readonly daemon: 'reloaded' | 'not_running' | 'not_reloaded';
    readonly state: 'up' | null;
    readonly reasons: readonly string[];
  };
}

/**
 * Reloads the daemon of this file, and waits until the tunnel is up. Without a daemon the command says how to start one.
 * Only the daemon's own record counts: the socket at a usual path may belong to the daemon of another file.
 */
export async function putInForce(
  { name, config, socket, timeout, json }: InForceOptions,
  say: (line: string) => void,
  io: CommandIo & { readonly signal: AbortSignal; readonly env: NodeJS.ProcessEnv },
): Promise<InForce> {
  const running = await findPresence(config, io.env);
  const path = socket ?? running?.socket ?? undefined;
  if (path === undefined) {
    say(`No daemon runs with ${config}. Start one: ${startOf(config, io.env)}`);
    return { code: EXIT.ok, report: { daemon: 'not_running', state: null, reasons: [] } };
  }
  const notReloaded = (code: ExitCode, reasons: readonly string[]): InForce => {
    if (!json) for (const reason of reasons) io.err(`fleet-mesh: ${reason}\n`);
    return { code, report: { daemon: 'not_reloaded', state: null, reasons } };
  };
  try {
    const { changes } = await command(path, { command: 'reload' }, reloadResult, io.signal);
    say(`reloaded: ${changes}`);
  } catch (error) {
    if (error instanceof CommandRefused) {
      const { message, hint, details } = error.refusal;
      return notReloaded(exitCodeOf(error.refusal), [...details, message, hint]);
    }
    if (error instanceof ControlUnavailable) return notReloaded(EXIT.unknown, [error.message]);
    throw error;
  }
  const parts: string[] = [];
  const quietly = json ? { out: (part: string) => void parts.push(part), err: () => {} } : {};
  const asked = { names: [name], for: 'up', timeout, json, endpoint: running?.endpoint, config };
  const code = await wait(asked, { ...io, ...quietly });
  if (code === EXIT.ok) say(`${name}: up`);
  const reasons = json ? (JSON.parse(parts.join('')) as { reasons: string[] }).reasons : [];
  return { code, report: { daemon: 'reloaded', state: code === EXIT.ok ? 'up' : null, reasons } };
}

/** The command for a person. */
function startOf(config: string, env: DefaultPathEnvironment): string {
  const units = [
    { directory: join(homeOf(env), '.config/systemd/user'), start: 'systemctl --user start fleet-mesh' },
    { directory: '/etc/systemd/system', start: 'systemctl start fleet-mesh' },
    { directory: '/usr/lib/systemd/system', start: 'systemctl start fleet-mesh' },
  ];
  const isUsual = defaultConfigPath(env) === config;
  const installed = units.find(({ directory }) => existsSync(join(directory, 'fleet-mesh.service')));
  if (installed && isUsual) return installed.start;
  return `fleet-mesh run${isUsual ? '' : ` --config ${shellWord(config)}`}`;
}
