import { formatSpan } from '../../base/text/span.ts';
import { formatDuration } from '../../config/duration.ts';
import type { BlockerCode } from '../../telemetry/status/finding-codes.ts';
import { laterText } from '../plan/step-facts.ts';
import type { VerdictFacts } from './facts.ts';
import { type Finding, finding } from './finding.ts';

/** The reasons against retiring a tunnel, in the order in which an operator clears them. */
export function blockers(facts: VerdictFacts): Finding<BlockerCode>[] {
  return [
    ...waveOpen(facts),
    ...gateClosed(facts),
    ...successorUnhealthy(facts),
    ...stillOpen(facts),
    ...recentUse(facts),
    ...dependentTunnel(facts),
    ...cutoverInProgress(facts),
    ...notCutOver(facts),
    ...noRollback(facts),
  ];
}

function waveOpen({ step }: VerdictFacts) {
  const clears = 'all required waves are complete and all earlier steps of the wave are done';
  if (typeof step === 'string') return finding('wave_open', step, clears, { clearsByItself: false });
  const { id, openWaves, openSteps } = step;
  const open = [
    ...(openWaves.length > 0 ? [`${list('wave', openWaves)} ${openWaves.length > 1 ? 'are' : 'is'} not complete`] : []),
    ...(openSteps.length > 0 ? [`${list('step', openSteps)} ${openSteps.length > 1 ? 'are' : 'is'} not done`] : []),
  ];
  if (open.length === 0) return [];
  return finding('wave_open', `step ${id} retires the tunnel but is not due: ${open.join(', ')}`, clears, {
    clearsByItself: false,
    examples: [...openWaves.map((wave) => `wave ${wave}`), ...openSteps.map((open) => `step ${open}`)],
  });
}

function gateClosed({ step }: VerdictFacts) {
  if (typeof step === 'string' || step.closedGates.length === 0) return [];
  const gates = step.closedGates.map((gate) => `${gate.id} (${gate.title}; ${gate.owner}${laterText(gate)})`);
  const ids = step.closedGates.map(({ id }) => id);
  const gate = ids.length === 1 ? ids[0] : 'GATE';
  return finding(
    'gate_closed',
    `${gates.length > 1 ? 'approvals are' : 'an approval is'} missing: ${gates.join(', ')}`,
    `each gate is approved: fleet-mesh plan approve ${gate} --by WHO --evidence TEXT`,
    { clearsByItself: false, examples: ids },
  );
}

function successorUnhealthy({ successor, now }: VerdictFacts) {
  if (!successor) return [];
  const { target, healthyForMs, healthySince, provedUntil = now, lastError } = successor;
  const clears = `the successor probe has passed for ${formatDuration(healthyForMs)} without a failure`;
  if (healthySince === undefined)
    return finding('successor_unhealthy', `successor ${target} is unhealthy: ${lastError ?? 'not probed yet'}`, clears);
  // Up to the last passed probe only: a rare probe proves little.
  const provedMs = provedUntil - healthySince;
  if (provedMs >= healthyForMs) return [];
  const clearsAt = healthySince + healthyForMs;
  return finding(
    'successor_unhealthy',
    `successor ${target} has been healthy for ${formatSpan(provedMs)}; ${formatDuration(healthyForMs)} required`,
    clears,
    {
      since: new Date(healthySince),
      clearsAt: clearsAt > now ? new Date(clearsAt) : undefined,
    },
  );
}

function stillOpen({ usage: { open, held, clients } }: VerdictFacts) {
  if (open + held === 0) return [];
  const waiting = held > 0 ? `, ${count(held, 'client')} waiting` : '';
  return finding(
    'still_open',
    `${count(open, 'connection')} open${waiting}${clients.length > 0 ? ` (${clients.join(', ')})` : ''}`,
    'the last connection has ended',
    {
      examples: clients,
    },
  );
}

function recentUse({ history: { lastActivityAt }, usage: { clients }, quietForMs, now }: VerdictFacts) {
  if (lastActivityAt === undefined || now - lastActivityAt >= quietForMs) return [];
  return finding(
    'recent_use',
    `last used ${formatSpan(Math.max(0, now - lastActivityAt))} ago${by(clients)}`,
    `no client has used the tunnel for ${formatDuration(quietForMs)}`,
    { since: new Date(lastActivityAt), clearsAt: new Date(lastActivityAt + quietForMs), examples: clients },
  );
}

function dependentTunnel({ dependents }: VerdictFacts) {
  if (dependents.length === 0) return [];
  return finding(
    'dependent_tunnel',
    `${dependents.join(', ')} ${dependents.length > 1 ? 'reach their' : 'reaches its'} host through this tunnel`,
    'no other tunnel reaches its host through this tunnel',
    {
      clearsByItself: false,
      examples: dependents,
    },
  );
}

function cutoverInProgress({ cutoverSince }: VerdictFacts) {
  if (cutoverSince === undefined) return [];
  return finding('cutover_in_progress', 'a cut-over is in progress', 'the cut-over is committed or rolled back', {
    since: new Date(cutoverSince),
  });
}

function notCutOver({ tunnel, successor, cutOver, cutoverSince }: VerdictFacts) {
  if (!successor || cutOver || cutoverSince !== undefined) return [];
  return finding(
    'not_cut_over',
    `the local port still leads through the tunnel, not to the successor ${successor.target}`,
    `\`fleet-mesh cutover ${tunnel}\` has moved the local port to the successor`,
    { clearsByItself: false },
  );
}

function noRollback({ rollback }: VerdictFacts) {
  if (rollback !== undefined) return [];
  return finding('no_rollback', 'drain.rollback is not set', 'drain.rollback is set to the rollback procedure', {
    clearsByItself: false,
  });
}

function list(what: string, ids: readonly string[]): string {
  return `${what}${ids.length > 1 ? 's' : ''} ${ids.join(', ')}`;
}

function count(n: number, one: string): string {
  return n === 1 ? `1 ${one}` : `${n} ${one}s`;
}

function by(clients: readonly string[]): string {
  return clients.length > 0 ? ` by ${clients.join(', ')}` : '';
}
