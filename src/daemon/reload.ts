import { messageOf, TunnelError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { diffConfig, movedTunnels, readdressedTunnels, summarizeDiff } from '../config/diff.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, formatProblem, showProblem } from '../config/problem.ts';
import { type LinkName, linkKey } from '../config/way.ts';
import type { Reloaded, ReloadOutcome } from '../operator/control/answer.ts';
import type { ControlPoint } from '../operator/control/point.ts';
import type { EndpointPlace } from '../operator/http/place.ts';
import type { Notifier } from '../operator/notify/notifier.ts';
import type { PresenceRecord } from '../operator/presence/leave.ts';
import type { Cutovers } from '../retirement/cutover/cutovers.ts';
import type { Retirement } from '../retirement/drain/retirement.ts';
import type { Lookout } from '../retirement/lookout/lookout.ts';
import type { PlanWatch } from '../retirement/plan/watch.ts';
import type { TakeNote } from '../telemetry/happening.ts';
import type { RootLogger } from '../telemetry/log/log.ts';
import { teller } from '../telemetry/tell.ts';
import type { Rotators } from '../tunnels/credential/rotators.ts';
import type { Supervisor } from '../tunnels/tunnel/supervisor.ts';
import type { ConfigInForce } from './config-in-force.ts';
import { refuseCutOffReload } from './cut-off.ts';

/** The components that use the configuration. */
export interface ReloadParts {
  readonly endpoint: Pick<EndpointPlace, 'move'>;
  readonly control: Pick<ControlPoint, 'listen'>;
  readonly presence: Pick<PresenceRecord, 'leave'>;
  readonly lookout: Pick<Lookout, 'follow'>;
  readonly notifier: Pick<Notifier, 'configure'>;
  readonly plan: Pick<PlanWatch, 'follow'>;
  readonly cutovers: Pick<Cutovers, 'apply'>;
  readonly rotators: Pick<Rotators, 'apply'>;
  readonly retirement: Pick<Retirement, 'apply'>;
  readonly supervisor: Pick<Supervisor, 'apply' | 'retestLogins'>;
  /** Reads a configuration. Default: {@link loadConfig}. */
  readonly load?: typeof loadConfig;
  readonly log: RootLogger;
  readonly note: TakeNote;
}

/** Reads the file again and applies the differences. An unusable file changes nothing. Never rejects. */
export async function reload(inForce: ConfigInForce, parts: ReloadParts): Promise<ReloadOutcome> {
  const at = new Date();
  const before = inForce.config;
  try {
    inForce.replace(await prepare(before, parts));
  } catch (error) {
    const refused = refuse(error, before.path, parts);
    inForce.reloaded(at, refused.error);
    return refused;
  }
  const { config } = inForce;
  const diff = diffConfig(before, config);
  // At once: the quiet time of one machine must not count for another one, not even while the reload goes on.
  for (const tunnel of readdressedTunnels(before, config)) parts.note({ event: 'tunnel.changed', tunnel });
  // Not awaited: no tunnel waits for the disk.
  void parts.presence.leave(config);
  parts.lookout.follow(config);
  parts.notifier.configure(config.notify);
  if (diff.daemon.has('log')) {
    parts.log.setLevel(config.logLevel);
    parts.log.setFormat(config.logFormat);
  }
  await parts.plan.follow(config.plan);
  let retested: readonly LinkName[];
  try {
    await parts.retirement.apply(before, config);
    await parts.cutovers.apply(before, config);
    parts.rotators.apply(config);
    await parts.supervisor.apply(config, diff);
    retested = await parts.supervisor.retestLogins();
  } catch (error) {
    // A bug of ours. The daemon and later reloads must go on, and the outcome must not be "nothing changed".
    const reason = `only partly applied: ${messageOf(error)}`;
    inForce.reloaded(at, reason);
    parts.log.error({ event: 'config.reload_failed', err: error }, `reload ${reason}`);
    return { ok: false, error: reason, problems: [], config: before.path };
  }
  inForce.reloaded(at, null);
  const changes = summarizeDiff(diff);
  const tell = teller(parts.log, parts.note);
  tell({ event: 'config.reloaded', changes, config_sha256: config.sha256 }, `reloaded: ${changes}`);
  const replaced = diff.links.filter(({ needsNewSessions }) => needsNewSessions);
  const others = retested.filter((link) => !replaced.some((each) => linkKey(each) === linkKey(link)));
  return { ok: true, changes, replaced: [...replaced, ...others], moved: movedTunnels(diff) };
}

/** Loads the next configuration and binds its endpoint and control socket. */
async function prepare(before: Config, { endpoint, control, load = loadConfig }: ReloadParts): Promise<Config> {
  const next = await load(before.path, process.env);
  refuseCutOffReload(before, next);
  await endpoint.move(next);
  if (before.controlSocket === next.controlSocket) return next;
  await control.listen(next.controlSocket).catch(async (error: unknown) => {
    // A refused reload changes nothing. If another program has just taken the old address, the new one is better than none.
    await endpoint.move(before).catch(() => {});
    throw error;
  });
  return next;
}

/**
 * Reports a reload of `path` that changed nothing. For mistakes in the file the log lists their positions and names the
 * command that lists all of them.
 */
function refuse(
  error: unknown,
  path: string,
  { log, note }: Pick<ReloadParts, 'log' | 'note'>,
): Extract<ReloadOutcome, { ok: false }> {
  const reason = messageOf(error);
  note({ event: 'config.reload_refused', reason });
  const what = 'reload rejected, nothing was changed';
  if (!(error instanceof ConfigError)) {
    log.error({ event: 'config.reload_failed', err: error }, `${what}: ${reason}`);
    return { ok: false, error: reason, problems: [], config: path };
  }
  const problems = error.problems.map(formatProblem);
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  log.error(
    { event: 'config.reload_failed', problems, hint: `Run \`fleet-mesh check --config ${path}\`.` },
    `${what}: ${problems[0]}${more}`,
  );
  return { ok: false, error: reason, problems: error.problems.map(showProblem), config: path };
}

/**
 * Waits for the first login of each link whose SSH parameters or known host keys changed. Rejects with a TunnelError if a login
 * fails. The new configuration is in force in either case. Bounded.
 */
export async function loggedIn(outcome: Reloaded, supervisor: Pick<Supervisor, 'firstLogins'>): Promise<void> {
  const failed = (await supervisor.firstLogins(outcome.replaced)).flatMap(({ host, actor, error }) =>
    error ? [{ login: `login of ${actor} to ${host}`, error }] : [],
  );
  const [first] = failed;
  if (!first) return;
  const reasons = failed.map(({ login, error }) => `the ${login} fails: ${error.message}`);
  throw new TunnelError(first.error.code, `reloaded (${outcome.changes}), but ${reasons.join('; ')}`, {
    cause: first.error,
    hint: `${first.error.hint} The new configuration is in force. The daemon keeps trying; old sessions stay in use.`,
  });
}
