import { stringify } from 'yaml';
import type { Config } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { WatchedPlan } from '../../../src/retirement/plan/watch.ts';
import { planOf, wave } from '../fakes/plan-fixture.ts';

/** The tunnel that goes out of service. */
export const HUB = 'hub';

export const QUIET_MS = 10_000;
export const HEALTHY_MS = 4_000;
export const HOLD_MS = 2_000;
/** Of the successor's probe. */
export const PROBE_MS = { every: 1_000, timeout: 500 };

export const SUCCESSORS = { first: '127.0.0.1:3000', second: '127.0.0.1:3001' } as const;

const PLACE = { listen: '127.0.0.1:2000', target: '10.0.0.1:80', host: 'yonder' };
const OTHER_LISTEN = '127.0.0.1:2001';

interface Hub {
  readonly listen: string;
  readonly target: string;
  readonly host: string;
  readonly successor: string | undefined;
  readonly drain: boolean;
  readonly quietMs: number;
}

interface File {
  /** Undefined: the hub has left the file, and another tunnel has its port. */
  readonly hub: Hub | undefined;
  /** The name of the node. */
  readonly node: string;
  /** The port of a second tunnel with the same target. */
  readonly other: string | undefined;
  /** Of the host of the hub. */
  readonly address: string;
}

function file(hub: Partial<Hub> | undefined, { node = 'here', other, address = 'a' }: Partial<File> = {}): File {
  const usual = { ...PLACE, successor: SUCCESSORS.first, drain: true, quietMs: QUIET_MS };
  return { hub: hub && { ...usual, ...hub }, node, other, address };
}

/** The files that an operator may put in place. */
const FILES = {
  first: file({}),
  second: file({ successor: SUCCESSORS.second }),
  none: file({ successor: undefined }),
  undrained: file({ successor: undefined, drain: false }),
  moved: file({ listen: OTHER_LISTEN }),
  retargeted: file({ target: '10.0.0.2:80' }),
  rehosted: file({ host: 'elsewhere' }),
  hasty: file({ quietMs: QUIET_MS / 2 }),
  patient: file({ quietMs: QUIET_MS * 1.5 }),
  renamed: file({}, { node: 'there' }),
  paired: file({}, { other: OTHER_LISTEN }),
  swapped: file({ listen: OTHER_LISTEN }, { other: PLACE.listen }),
  heir: file(undefined, { other: PLACE.listen }),
  readdressed: file({}, { address: 'c' }),
  usurped: file({ listen: OTHER_LISTEN, target: '10.0.0.2:80' }, { other: PLACE.listen }),
} as const satisfies Record<string, File>;
export type Variant = keyof typeof FILES;
export const VARIANTS = Object.keys(FILES) as readonly Variant[];

/** Added later: the numbers of a seed choose from the others as before, so that a seed keeps its steps. */
export const LATER_VARIANTS = ['readdressed', 'usurped'] as const satisfies readonly Variant[];

/** What the hub is in a variant; undefined where the hub is not. */
export function hubIn(variant: Variant): Hub | undefined {
  return FILES[variant].hub;
}

/** The name of the node in a variant. */
export function nodeIn(variant: Variant): string {
  return FILES[variant].node;
}

/** The configuration of a variant. */
export function configOf(variant: Variant): Config {
  const known = configs.get(variant);
  if (known) return known;
  const config = parseConfig(Buffer.from(yamlOf(variant)), '/sim/tunnels.yaml', { HOME: '/sim' });
  configs.set(variant, config);
  variants.set(config, variant);
  return config;
}
const configs = new Map<Variant, Config>();
const variants = new Map<Config, Variant>();

/** The variant of a configuration in force. */
export function variantOf(config: Config): Variant {
  return variants.get(config) ?? 'first';
}

function yamlOf(variant: Variant): string {
  const { hub, node, other, address } = FILES[variant];
  const common = { host: PLACE.host, actor: 'agt-key' };
  const successor = hub?.successor && {
    target: hub.successor,
    probe: { tcp: {}, every: `${PROBE_MS.every}ms`, timeout: `${PROBE_MS.timeout}ms`, rise: 1, fall: 2 },
    healthy_for: `${HEALTHY_MS}ms`,
    hold: '1s',
    verify_for: '2s',
  };
  const drain = { step: '1.2', quiet_for: `${hub?.quietMs}ms`, rollback: 'back', ...(successor && { successor }) };
  return stringify({
    version: 1,
    node,
    plan: 'plan.yaml',
    state_dir: '/sim/state',
    stop_grace: '1s',
    hosts: {
      [node]: { address: 'h' },
      yonder: { address, user: 'u' },
      elsewhere: { address: 'b', user: 'u' },
    },
    actors: { 'agt-key': { key: 'k' } },
    tunnels: {
      ...(hub && {
        [HUB]: {
          ...common,
          host: hub.host,
          listen: hub.listen,
          target: hub.target,
          while_down: { hold: `${HOLD_MS}ms` },
          ...(hub.drain && { drain }),
        },
      }),
      ...(other !== undefined && { other: { ...common, listen: other, target: PLACE.target } }),
    },
  });
}

/** What the plan file says now. */
export interface PlanState {
  approved: boolean;
  /** The step before the retirement. */
  done: boolean;
  valid: boolean;
}

/** The plan of that state, as the daemon reads it. */
export function planIn({ approved, done, valid }: PlanState): WatchedPlan {
  const key = `${approved} ${done}`;
  const plan = plans.get(key) ?? makePlan(approved, done);
  plans.set(key, plan);
  const at = new Date();
  const error = valid ? null : 'the simulated file is not valid';
  return { path: '/sim/plan.yaml', plan, loadedAt: at, lastLoad: { ok: valid, at, error } };
}
const plans = new Map<string, NonNullable<WatchedPlan['plan']>>();

function makePlan(approved: boolean, done: boolean) {
  const given = { by: 'worsch', at: '2026-07-20T10:00:00Z', evidence: 'decision' };
  const gate = { id: 'g', title: 'the gate', owner: 'operator', blocks: ['1.2'], ...(approved && { approved: given }) };
  return planOf({ gates: [gate], waves: [wave(1, [], 2, done ? 1 : 0)] });
}
