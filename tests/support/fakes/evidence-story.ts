import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chainEntry, type Entry, GENESIS, hashLine, parseEntry } from '../../../src/retirement/evidence/entry.ts';
import type { HostPulse } from '../../../src/retirement/evidence/events.ts';
import type { Routes } from '../../../src/retirement/evidence/routes.ts';
import type { Period } from '../../../src/retirement/evidence/watch.ts';

const BEAT_MS = 60_000;
const LOOK_MS = 30_000;

export const ROUTES: Routes = {
  config_sha256: 'c'.repeat(64),
  node: 'railiance01',
  production: { hub: { way: ['coulombcore'], target: '10.43.170.94:8000' } },
  workstations: { workstation: 'bnt-lap001:22' },
};

/** Events on a node with the production tunnel `hub` and the host `workstation`. All other time is without problems. */
export interface Story {
  readonly from: number;
  readonly until: number;
  readonly routes?: Routes;
  readonly machine?: string | null;
  /** The tunnel was down, or in the given state. */
  readonly outages?: readonly (Period & { readonly state?: string })[];
  /** The workstation was reachable, or in the given state. */
  readonly seen?: readonly (Period & { readonly state?: HostPulse['state'] })[];
  /** The daemon ran, but wrote nothing. */
  readonly silences?: readonly Period[];
  /** The daemon did not look for the workstation. */
  readonly unlooked?: readonly Period[];
  /** More lines. */
  readonly extra?: readonly Line[];
}

interface Line {
  readonly at: number;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The lines of a daemon with one heartbeat a minute, oldest first. */
export function linesOf(story: Story): Line[] {
  const {
    from,
    until,
    routes = ROUTES,
    machine = null,
    outages = [],
    seen = [],
    silences = [],
    unlooked = [],
    extra = [],
  } = story;
  const during = <Each extends Period>(periods: readonly Each[], at: number) =>
    periods.find((period) => at >= period.from && at < period.until);
  const tunnel = (at: number) => {
    const outage = during(outages, at);
    return { state: outage ? (outage.state ?? 'down') : 'up', serving: outage === undefined };
  };
  const found = (at: number) => during(seen, at)?.state ?? (during(seen, at) ? 'reachable' : 'unreachable');
  const code = (state: string) =>
    state === 'reachable' ? null : state === 'unknown' ? 'no_control' : 'connect_timeout';
  const [address = ''] = Object.values(routes.workstations);
  const state = (at: number): Line => {
    const { state: to, serving } = tunnel(at);
    return { at, event: 'tunnel.state', tunnel: 'hub', from: null, to, serving, reason: null, code: null };
  };
  const sighting = (at: number): Line => {
    const is = found(at);
    return { at, event: `host.${is}`, host: 'workstation', address, from: null, code: code(is), reason: `it is ${is}` };
  };
  const edges = (periods: readonly Period[]) =>
    periods.flatMap(({ from: begin, until: end }) => [begin, end]).filter((at) => at > from && at <= until);
  const lines: Line[] = [
    {
      at: from,
      event: 'daemon.started',
      version: '0.1.0',
      config_sha256: routes.config_sha256,
      node: routes.node,
      machine,
    },
    { at: from, event: 'config.in_force', ...routes },
    ...[from, ...edges(outages)].map(state),
    ...[from, ...edges(seen)].map(sighting),
    ...extra,
  ];
  let checked: string[] = [];
  for (let at = from; at <= until; at += LOOK_MS) {
    if (!during(unlooked, at)) checked.push(new Date(at).toISOString());
    if ((at - from) % BEAT_MS !== 0) continue;
    const is = found(at);
    const { state: to, serving } = tunnel(at);
    const pulse = { state: to, serving, open: 0, opened_total: 0, last_activity_at: null };
    lines.push({
      at,
      event: 'heartbeat',
      tunnels: { hub: pulse },
      hosts: { workstation: { state: is, code: code(is), address, checked } },
    });
    checked = [];
  }
  return lines.filter(({ at }) => !during(silences, at)).toSorted((a, b) => a.at - b.at);
}

/** The lines as entries of the chain. */
export function chainOf(lines: readonly Line[]): { entry: Entry; head: { seq: number; hash: string }; text: string }[] {
  const begun = lines[0]?.at ?? 0;
  let head = { seq: 0, hash: GENESIS };
  return lines.map(({ at, ...fields }) => {
    const text = JSON.stringify(
      chainEntry({ at: new Date(at), uptimeMs: at - begun, ...fields }, head.seq + 1, head.hash),
    );
    head = { seq: head.seq + 1, hash: hashLine(text) };
    const entry = parseEntry(text);
    if (!entry) throw new Error(`no entry: ${text}`);
    return { entry, head, text };
  });
}

/** Writes the log of a state directory; returns its lines. */
export function writeLog(directory: string, lines: readonly Line[]): string[] {
  const chain = chainOf(lines);
  const texts = chain.map(({ text }) => text);
  writeFileSync(join(directory, 'events.jsonl'), texts.map((text) => `${text}\n`).join(''));
  writeFileSync(join(directory, 'events.head'), JSON.stringify(chain.at(-1)?.head));
  return texts;
}
