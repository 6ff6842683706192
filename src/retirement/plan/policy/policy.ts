import { didYouMean } from '../../../base/text/closest.ts';
import type { ActorConfig, Config, TunnelConfig } from '../../../config/config.ts';
import { wayTo } from '../../../config/way.ts';
import { asOf } from '../as-of.ts';
import type { Plan, PlanException } from '../plan.ts';
import { findStep } from '../progress.ts';
import { exceptionState } from './exception-state.ts';
import { checkExposure } from './exposure.ts';
import type { PolicyFinding } from './policy-finding.ts';
import { checkRegister } from './register.ts';

export type PolicyNode = Pick<Config, 'node' | 'hosts' | 'tunnels' | 'actors' | 'endpoint'>;

/** With more tunnels on a node, WireGuard must be evaluated (fleet architecture, "Evaluate WireGuard mesh"). */
const MOST_TUNNELS = 5;

/** Checks the policy of a drain plan. Without a plan, only the rules that need none are checked. Pure. */
export function checkPolicy(node: PolicyNode, written: Plan | undefined, now: Date): PolicyFinding[] {
  const plan = written && asOf(written, now);
  const tunnels = [...node.tunnels.values()];
  return [
    ...checkNode(node),
    // The daemon asks each second, and few tunnels have a step: no list for each of the others.
    ...tunnels.filter(({ drain }) => drain?.step !== undefined).flatMap((tunnel) => checkStep(plan, tunnel)),
    ...[...node.actors.values()].flatMap((actor) => checkFallback(plan, actor, now)),
    ...(plan === undefined
      ? []
      : [
          ...tunnels.flatMap((tunnel) => checkFrozen(node, plan, tunnel, now)),
          ...[...node.actors.values()].flatMap((actor) => checkStaticKey(plan, actor, now)),
          ...checkBypassedGates(plan),
          ...checkRegister(plan),
          ...plan.exceptions.flatMap((_, index) => checkException(plan, index, now)),
        ]),
  ];
}

const checked = new WeakMap<PolicyNode, readonly PolicyFinding[]>();

/** The rules without plan and date. The daemon asks each second: a configuration is checked once. */
function checkNode(node: PolicyNode): readonly PolicyFinding[] {
  const known = checked.get(node);
  if (known) return known;
  const findings = [
    ...checkTunnelCount(node.tunnels.size),
    ...checkExposure(node),
    ...[...node.tunnels.values()].flatMap((tunnel) => checkWorkstation(node, tunnel)),
  ];
  checked.set(node, findings);
  return findings;
}

function checkTunnelCount(count: number): PolicyFinding[] {
  if (count <= MOST_TUNNELS) return [];
  const message = `this node has ${count} persistent tunnels, more than ${MOST_TUNNELS}; evaluate WireGuard`;
  return [
    {
      file: 'config',
      severity: 'warning',
      code: 'wireguard_threshold',
      subject: 'number of tunnels',
      path: ['tunnels'],
      message,
      at: 'key',
    },
  ];
}

/** Production never depends on a workstation, which may be off at any time: not as a hop, and not as the node itself. */
function checkWorkstation(node: PolicyNode, tunnel: TunnelConfig): PolicyFinding[] {
  if (!tunnel.production) return [];
  const report = (field: string, message: string): PolicyFinding => ({
    file: 'config',
    severity: 'error',
    code: 'workstation_route',
    path: ['tunnels', tunnel.name, field],
    message,
    at: 'value',
  });
  const through = wayTo(node, tunnel).find(({ host }) => node.hosts.get(host)?.role === 'workstation');
  return [
    ...(through === undefined
      ? []
      : [
          report(
            'host',
            `production tunnel ${tunnel.name} goes through the workstation ${through.host}; expected a route without workstations`,
          ),
        ]),
    ...(node.hosts.get(node.node)?.role === 'workstation'
      ? [
          report(
            'production',
            `production tunnel ${tunnel.name} runs on the workstation ${node.node}; expected a node that is no workstation`,
          ),
        ]
      : []),
  ];
}

function checkStep(plan: Plan | undefined, tunnel: TunnelConfig): PolicyFinding[] {
  const { step } = tunnel.drain ?? {};
  if (step === undefined) return [];
  const at = { file: 'config', path: ['tunnels', tunnel.name, 'drain', 'step'], at: 'value' } as const;
  if (plan === undefined) {
    return [
      {
        ...at,
        severity: 'error',
        code: 'step_unknown',
        message: 'drain.step needs a plan; expected plan: FILE at the top level',
      },
    ];
  }
  const found = findStep(plan, step)?.step;
  if (found === undefined) {
    const known = plan.waves.flatMap(({ steps }) => steps.map(({ id }) => id));
    const message = `the plan has no step ${JSON.stringify(step)}; expected the step that retires ${tunnel.name}${didYouMean(step, known)}`;
    return [{ ...at, severity: 'error', code: 'step_unknown', message }];
  }
  if (found.done === undefined) return [];
  const message = `step ${step} is done, but its tunnel ${tunnel.name} is still configured; expected the tunnel to be removed`;
  return [{ ...at, severity: 'warning', code: 'step_done', message }];
}

function checkFrozen(node: PolicyNode, plan: Plan, tunnel: TunnelConfig, now: Date): PolicyFinding[] {
  const frozen = wayTo(node, tunnel).find(({ host }) => Object.hasOwn(plan.frozen, host))?.host;
  if (!tunnel.production || frozen === undefined) return [];
  const covering = plan.exceptions.filter(({ covers }) => covers.tunnels?.includes(tunnel.name));
  const what = `production tunnel ${tunnel.name} goes to ${frozen}, frozen since ${plan.frozen[frozen]?.since}`;
  return [
    {
      file: 'config',
      code: 'frozen_host',
      path: ['tunnels', tunnel.name, 'host'],
      at: 'value',
      ...permission(plan, covering, what, now),
    },
  ];
}

function checkStaticKey(plan: Plan, actor: ActorConfig, now: Date): PolicyFinding[] {
  if (!actor.name.startsWith('atm-') || actor.certCommand !== undefined) return [];
  const covering = plan.exceptions.filter(({ covers }) => covers.actor === actor.name);
  const what = `automation ${actor.name} uses a static key instead of a certificate`;
  const permitted = permission(plan, covering, what, now);
  return [{ file: 'config', code: 'static_key', path: ['actors', actor.name, 'key'], at: 'value', ...permitted }];
}

/** A fallback key needs the exception that it names. */
function checkFallback(plan: Plan | undefined, actor: ActorConfig, now: Date): PolicyFinding[] {
  if (actor.fallback === undefined) return [];
  const { exception: id } = actor.fallback;
  const at = { file: 'config', path: ['actors', actor.name, 'fallback', 'exception'], at: 'value' } as const;
  const error = (message: string): PolicyFinding[] => [
    { ...at, severity: 'error', code: 'exception_unknown', message },
  ];
  if (plan === undefined) return error('fallback.exception needs a plan; expected plan: FILE at the top level');
  const named = plan.exceptions.find((exception) => exception.id === id);
  if (named === undefined) {
    const known = plan.exceptions.map((exception) => exception.id);
    return error(
      `the plan has no exception ${JSON.stringify(id)}; expected an exception of the plan${didYouMean(id, known)}`,
    );
  }
  if (named.covers.actor !== actor.name)
    return error(`exception ${id} does not cover ${actor.name}; expected an exception that covers this actor`);
  // A live exception needs no finding: another advisory reports a fallback key in use.
  const permitted = permission(plan, [named], `${actor.name} has a static fallback key`, now);
  return permitted.severity === 'error' ? [{ ...at, code: 'static_key', ...permitted }] : [];
}

function checkException(plan: Plan, index: number, now: Date): PolicyFinding[] {
  const exception = plan.exceptions[index];
  if (exception === undefined) return [];
  const at = { file: 'plan', path: ['exceptions', index, 'until'], at: 'value' } as const;
  const state = exceptionState(plan, exception, now);
  if (state.kind === 'expired') {
    const message = `exception ${exception.id} has expired: ${state.because}; expected the cause fixed and the exception removed, or a new approval`;
    return [{ ...at, severity: 'error', code: 'exception_expired', message }];
  }
  if (!state.soon) return [];
  return [
    {
      ...at,
      severity: 'warning',
      code: 'exception_expiring',
      message: `exception ${exception.id} expires soon: ${state.until}`,
    },
  ];
}

/** Unapproved gates whose steps are done. `plan done` refuses such a step, but an editor does not. */
function checkBypassedGates({ gates, waves }: Pick<Plan, 'gates' | 'waves'>): PolicyFinding[] {
  const done = new Set(
    waves.flatMap(({ steps }) => steps.filter((step) => step.done !== undefined).map(({ id }) => id)),
  );
  return gates.flatMap(({ id, blocks, approved }, index): PolicyFinding[] => {
    const past = approved === undefined ? blocks.filter((step) => done.has(step)) : [];
    if (past.length === 0) return [];
    const steps = past.length === 1 ? `step ${past[0]} is` : `steps ${past.join(', ')} are`;
    const message = `gate ${id} is not approved, but ${steps} done; expected the approval first, with by, at and evidence`;
    return [
      { file: 'plan', severity: 'error', code: 'gate_bypassed', path: ['gates', index, 'id'], message, at: 'value' },
    ];
  });
}

/** The finding for a violation: a notice while one of the exceptions is live, else an error. */
function permission(
  plan: Plan,
  covering: readonly PlanException[],
  what: string,
  now: Date,
): Pick<PolicyFinding, 'severity' | 'message'> {
  const states = covering.map((exception) => ({ exception, state: exceptionState(plan, exception, now) }));
  for (const { exception, state } of states) {
    if (state.kind === 'live')
      return { severity: 'notice', message: `${what}, under exception ${exception.id} until ${state.until}` };
  }
  const expired = states.map(({ exception, state }) =>
    state.kind === 'expired' ? ` (${exception.id} has expired: ${state.because})` : '',
  );
  return {
    severity: 'error',
    message: `${what}, without a live exception in the plan${expired.join('')}; expected a live exception, or the cause fixed`,
  };
}
