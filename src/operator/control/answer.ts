import { TunnelError } from '../../base/errors.ts';
import { ControlRefused, type Refusal } from '../../base/refusal.ts';
import { closest } from '../../base/text/closest.ts';
import { printable } from '../../base/text/printable.ts';
import type { RetireOutcome, RetireRequest } from '../../retirement/drain/retire-tunnel.ts';
import type { OwnTunnelStatus } from '../../telemetry/status/status.ts';
import { type ControlReply, type ControlRequest, type CutoverResult, request } from './protocol.ts';

/** What a reload came to. */
export type ReloadOutcome =
  | { readonly ok: true; readonly changes: string }
  /** `problems`: what is wrong with the file, each with its place; empty when the file is not to blame. */
  | { readonly ok: false; readonly error: string; readonly problems: readonly string[]; readonly config: string };

/** What the commands do to the daemon. Each may reject with {@link ControlRefused} or a TunnelError. */
export interface ControlActions {
  reload(): Promise<ReloadOutcome>;
  /** Back into service. Settles once each has tried to listen. */
  up(names: readonly string[]): Promise<readonly OwnTunnelStatus[]>;
  /** Out of service. Settles when no connection of theirs is open any more, which takes `stop_grace` at most. */
  down(names: readonly string[]): Promise<readonly OwnTunnelStatus[]>;
  /** Settles with one line for people when the actor's sessions run on a new credential. */
  rotate(actor: string): Promise<string>;
  /** Out of service for good. Settles when its SSH forward has ended. */
  retire(request: RetireRequest): Promise<RetireOutcome>;
  /** Moves the local port of a tunnel to its successor. Settles when that is done, or undone. */
  cutover(name: string, tell: Tell): Promise<CutoverResult>;
  /** What a cut-over would do, and what would be said to it now. Changes nothing. */
  rehearseCutover(name: string): Promise<CutoverResult>;
  /** The way back of a cut-over, at once. */
  rollback(name: string, tell: Tell): Promise<CutoverResult>;
}

/** Tells the client how far its command is. */
type Tell = (progress: string) => void;

const COMMANDS = request.options.map(({ shape }) => shape.command.value);

/** Carries out what the line asks for. Never rejects: whatever goes wrong is a reply. */
export async function answer(
  line: string,
  actions: ControlActions,
  onBug: (error: unknown) => void,
  tell: Tell = () => {},
): Promise<ControlReply> {
  try {
    return { ok: true, result: await carryOut(parseRequest(line), actions, tell) };
  } catch (error) {
    return { ok: false, error: refusalOf(error, onBug) };
  }
}

function parseRequest(line: string): ControlRequest {
  const data = jsonOf(line);
  const parsed = request.safeParse(data);
  if (parsed.success) return parsed.data;
  const command = typeof data === 'object' && data !== null && 'command' in data ? data.command : undefined;
  if (typeof command === 'string' && !COMMANDS.some((known) => known === command)) {
    const near = closest(command, COMMANDS);
    throw new ControlRefused('unknown_command', `this daemon knows no command "${printable(command, 40)}"`, {
      hint: near ? `Did you mean ${near}?` : `It knows ${COMMANDS.join(', ')}. After an upgrade, restart the daemon.`,
    });
  }
  throw malformed(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'request'}: ${message}`));
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw malformed(['it is not JSON']);
  }
}

function malformed(details: readonly string[]): ControlRefused {
  return new ControlRefused('bad_request', 'the request cannot be understood', {
    hint: 'Use the commands of fleet-mesh; the protocol is one line of JSON, as in {"command":"reload"}.',
    details,
  });
}

async function carryOut(asked: ControlRequest, actions: ControlActions, tell: Tell): Promise<unknown> {
  switch (asked.command) {
    case 'reload':
      return { changes: changesOf(await actions.reload()) };
    case 'up':
      return { tunnels: (await actions.up(asked.names)).map(summary) };
    case 'down':
      return { tunnels: (await actions.down(asked.names)).map(summary) };
    case 'rotate':
      return { outcome: await actions.rotate(asked.actor) };
    case 'retire':
      return actions.retire({ name: asked.name, dryRun: asked.dry_run, overrides: asked.overrides });
    case 'cutover':
      return asked.dry_run ? actions.rehearseCutover(asked.name) : actions.cutover(asked.name, tell);
    case 'rollback':
      return actions.rollback(asked.name, tell);
  }
}

function changesOf(outcome: ReloadOutcome): string {
  if (outcome.ok) return outcome.changes;
  if (outcome.problems.length === 0)
    throw new ControlRefused('reload_failed', `the reload failed: ${outcome.error}`, {
      hint: 'The log of the daemon has the details; the configuration that `fleet-mesh status` names is in force.',
    });
  throw new ControlRefused('config_invalid', 'the reload was refused, nothing was changed', {
    hint: `Mend the file and reload again; \`fleet-mesh check --config ${outcome.config}\` looks at it without the daemon.`,
    details: outcome.problems,
  });
}

function summary({ name, state, reason, usage }: OwnTunnelStatus) {
  return { name, state, reason, open: usage.open };
}

function refusalOf(error: unknown, onBug: (error: unknown) => void): Refusal {
  if (error instanceof ControlRefused) return error.report();
  if (!(error instanceof TunnelError)) onBug(error);
  const { code, message, hint } = TunnelError.from(error);
  return { code, message, hint, details: [] };
}
