import { TunnelError } from '../../base/errors.ts';
import { ControlRefused, type Refusal } from '../../base/refusal.ts';
import { closest } from '../../base/text/closest.ts';
import { printable } from '../../base/text/printable.ts';
import type { LinkName } from '../../config/way.ts';
import type { RetireOutcome, RetireRequest } from '../../retirement/drain/retire-tunnel.ts';
import type { PlanEdit, RecordedEdit } from '../../retirement/plan/record-edit.ts';
import type { OwnTunnelStatus } from '../../telemetry/status/status.ts';
import {
  type ControlReply,
  type ControlRequest,
  type CutoverResult,
  type ReleaseObserved,
  request,
} from './protocol.ts';

/** A reload that was applied. */
export interface Reloaded {
  readonly ok: true;
  readonly changes: string;
  /** The links whose sessions the reload replaces, or whose login it tests. */
  readonly replaced: readonly LinkName[];
  /** The names of tunnels that are new, lead elsewhere, or are checked otherwise. */
  readonly moved: readonly string[];
}

/** The result of a reload. */
export type ReloadOutcome =
  | Reloaded
  /** `problems`: the mistakes in the file, each with its place; empty when the file is valid. */
  | { readonly ok: false; readonly error: string; readonly problems: readonly string[]; readonly config: string };

/** What an operator sees of a reload. */
interface ReloadReport {
  readonly outcome: ReloadOutcome;
  /** The moved tunnels, once each serves or has an error. */
  readonly tunnels: readonly OwnTunnelStatus[];
  /** Names of those among them that stay down until somebody acts. */
  readonly blocked: readonly string[];
}

/** The commands of the daemon. Each may reject with {@link ControlRefused} or a TunnelError. */
export interface ControlActions {
  /** Reads the configuration again. Settles when each moved tunnel serves or has an error, after ten seconds at most. */
  reload(): Promise<ReloadReport>;
  /** Puts tunnels back into service. Settles when each serves or cannot serve, after ten seconds at most. */
  up(names: readonly string[]): Promise<readonly OwnTunnelStatus[]>;
  /** Takes tunnels out of service. Settles when their connections are closed, after `stop_grace` at most. */
  down(names: readonly string[]): Promise<readonly OwnTunnelStatus[]>;
  /** Settles with one line of text when the actor's sessions use a new credential. */
  rotate(actor: string): Promise<string>;
  /** Retires a tunnel. Settles when its SSH forward has ended. */
  retire(request: RetireRequest): Promise<RetireOutcome>;
  /** Moves the local port of a tunnel to its successor. Settles after success or rollback. */
  cutover(name: string, tell: Tell): Promise<CutoverResult>;
  /** The dry run of a cut-over: its steps and current blockers. Changes nothing. */
  rehearseCutover(name: string): Promise<CutoverResult>;
  /** Reverses a cut-over at once. */
  rollback(name: string, tell: Tell): Promise<CutoverResult>;
  /** Records an edit of the plan file as evidence. */
  planEdited(edit: PlanEdit): Promise<RecordedEdit>;
  /** Records the promotion or the rollback of a release as evidence. */
  releaseObserved(observed: ReleaseObserved): Promise<RecordedEdit>;
  /** Settles when the evidence so far is on the disk, or cannot be written. Bounded. */
  settled(): Promise<void>;
}

/** Sends a progress line to the client. */
type Tell = (progress: string) => void;

const COMMANDS = request.options.map(({ shape }) => shape.command.value);

/** Carries out the request in `line`. Never rejects: every error becomes a reply. */
export async function answer(
  line: string,
  actions: ControlActions,
  onBug: (error: unknown) => void,
  tell: Tell = () => {},
): Promise<ControlReply> {
  try {
    const result = await carryOut(parseRequest(line), actions, tell);
    // Else a kill -9 right after the answer leaves evidence that contradicts the answer.
    await actions.settled();
    return { ok: true, result };
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
    throw new ControlRefused('unknown_command', `unknown command "${printable(command, 40)}"`, {
      hint: near ? `Did you mean ${near}?` : `Commands: ${COMMANDS.join(', ')}. After an upgrade, restart the daemon.`,
    });
  }
  throw malformed(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'request'}: ${message}`));
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw malformed(['the request is not JSON']);
  }
}

function malformed(details: readonly string[]): ControlRefused {
  return new ControlRefused('bad_request', 'the request is not valid', {
    hint: 'Use the fleet-mesh command line, or send one line of JSON such as {"command":"reload"}.',
    details,
  });
}

async function carryOut(asked: ControlRequest, actions: ControlActions, tell: Tell): Promise<unknown> {
  switch (asked.command) {
    case 'reload': {
      const { outcome, tunnels, blocked } = await actions.reload();
      return { changes: changesOf(outcome), tunnels: tunnels.map(summary), blocked };
    }
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
    case 'plan_edited': {
      const { command: _, sha256_before: sha256Before, sha256_after: sha256After, ...edit } = asked;
      return actions.planEdited({ ...edit, sha256Before, sha256After });
    }
    case 'release_observed': {
      const { command: _, ...observed } = asked;
      return actions.releaseObserved(observed);
    }
  }
}

function changesOf(outcome: ReloadOutcome): string {
  if (outcome.ok) return outcome.changes;
  if (outcome.problems.length === 0)
    throw new ControlRefused('reload_failed', `the reload failed: ${outcome.error}`, {
      hint: 'See the log of the daemon. `fleet-mesh status` shows the active configuration.',
    });
  throw new ControlRefused('config_invalid', 'the reload was rejected; the previous configuration is still active', {
    hint: `Fix the file and reload again. \`fleet-mesh check --config ${outcome.config}\` checks the file without the daemon.`,
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
