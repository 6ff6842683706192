import { type VerdictAnswer, verdictAnswer } from '../../../src/retirement/drain/answer.ts';
import type { TunnelStatus } from '../../../src/telemetry/status/status.ts';
import { expectThat } from '../expect-that.ts';
import type { HubClients } from './clients.ts';
import { type DrainFleet, TUNNEL } from './fleet.ts';
import type { Operator } from './operator.ts';
import type { Screen } from './screen.ts';

/** The objects that a scene uses. */
export interface Stage {
  readonly fleet: DrainFleet;
  readonly operator: Operator;
  readonly clients: HubClients;
  readonly screen: Screen;
}

/** One scene: `play` returns its result and throws at a failure. */
export interface Scene {
  readonly title: string;
  play(stage: Stage): Promise<string>;
}

export async function verdict({ fleet }: Pick<Stage, 'fleet'>): Promise<VerdictAnswer> {
  return verdictAnswer.parse(JSON.parse((await fleet.daemon.get(`/drain/${TUNNEL}`)).body));
}

export function codesOf({ blockers, unknowns }: VerdictAnswer): string[] {
  return [...blockers, ...unknowns].map(({ code }) => code);
}

export async function tunnelNow({ fleet }: Pick<Stage, 'fleet'>): Promise<TunnelStatus> {
  const [tunnel] = (await fleet.daemon.status()).tunnels;
  expectThat(tunnel !== undefined, `the daemon does not know ${TUNNEL}`);
  return tunnel;
}

/** Waits until the machine answers another request; throws if any request failed. */
export async function answers({ clients, fleet }: Pick<Stage, 'clients' | 'fleet'>, machine: string): Promise<void> {
  const before = clients.servedBy(machine);
  await fleet.daemon.waitFor(() => clients.servedBy(machine) > before, 10_000);
  expectThat(clients.failed() === 0, clients.text());
}
