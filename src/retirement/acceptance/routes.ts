import { parseAddress } from '../../base/net/address.ts';
import { canonicalHost, isLoopbackHost } from '../../base/net/host.ts';
import type { Routes } from '../evidence/routes.ts';
import type { Period } from '../evidence/watch.ts';
import type { RoutesSince } from './facts.ts';
import { type Reason, reasonOf, type TunnelRecord } from './judgement.ts';

/** A starting daemon records its routes within this time, in milliseconds. */
const SAID_WITHIN_MS = 1_000;

/** The routes in force during the window, each with its period. Oldest first. */
export function inForce(
  routes: readonly RoutesSince[],
  window: Period,
): { readonly period: Period; readonly routes: Routes | undefined }[] {
  const all = [{ at: Number.NEGATIVE_INFINITY, routes: undefined }, ...routes];
  return all
    .map((each, index) => ({
      period: { from: Math.max(each.at, window.from), until: Math.min(all[index + 1]?.at ?? Infinity, window.until) },
      begun: each.at,
      routes: each.routes,
    }))
    .filter(({ period, routes: known, begun }) => {
      const ms = period.until - period.from;
      const starting = begun > Number.NEGATIVE_INFINITY && ms <= SAID_WITHIN_MS;
      return ms > 0 && !(known === undefined && starting);
    })
    .map(({ period, routes: known }) => ({ period, routes: known }));
}

/** Every tunnel that was production at some time of the window, in its latest form. */
export function productionOf(periods: ReturnType<typeof inForce>): Pick<TunnelRecord, 'name' | 'way' | 'target'>[] {
  const found = new Map<string, Pick<TunnelRecord, 'name' | 'way' | 'target'>>();
  for (const { routes } of periods)
    for (const [name, { way, target }] of Object.entries(routes?.production ?? {}))
      found.set(name, { name, way, target });
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether production used the host or another workstation at some time of the window. Pure. */
export function judgeRoutes(periods: ReturnType<typeof inForce>, offline: string): Reason[] {
  const production = productionOf(periods);
  return [
    ...(production.length === 0
      ? [reasonOf('no_production', 'there was no production tunnel, so the window proves nothing')]
      : []),
    ...periods.flatMap(({ period, routes }) =>
      routes === undefined
        ? [reasonOf('routes_unknown', 'the configuration in force is unknown', period)]
        : [
            ...overWorkstations(routes, offline, period),
            ...production
              .filter(({ name }) => routes.production[name] === undefined)
              .map(({ name }) => reasonOf('production_changed', `${name} was not a production tunnel`, period)),
            ...(routes.workstations[offline] === undefined
              ? [
                  reasonOf(
                    'host_not_watched',
                    `the configuration had no workstation ${offline}; the daemon checks only workstations`,
                    period,
                  ),
                ]
              : []),
          ],
    ),
    ...addressChanges(periods, offline),
  ];
}

function overWorkstations(routes: Routes, offline: string, period: Period): Reason[] {
  const names = new Set([...Object.keys(routes.workstations), offline]);
  const addresses = new Set([...[...names].map(canonicalHost), ...Object.values(routes.workstations).map(hostOf)]);
  const reason = (what: string) => reasonOf('workstation_route', what, period);
  const own = names.has(routes.node) ? [reason(`the tunnels ran on the workstation ${routes.node}`)] : [];
  const ways = Object.entries(routes.production).flatMap(([name, { way, target }]) => [
    ...way.filter((host) => names.has(host)).map((host) => reason(`${name} went through the workstation ${host}`)),
    // A loopback target means the machine itself, whichever machine that is.
    ...(target !== null && !isLoopbackHost(hostOf(target)) && addresses.has(hostOf(target))
      ? [reason(`${name} went to the workstation: ${target}`)]
      : []),
  ]);
  return [...own, ...ways];
}

function addressChanges(periods: ReturnType<typeof inForce>, offline: string): Reason[] {
  const last = periods.at(-1)?.routes?.workstations[offline];
  return periods.flatMap(({ period, routes }) => {
    const address = routes?.workstations[offline];
    if (address === undefined || last === undefined || address === last) return [];
    return [reasonOf('host_address_changed', `${offline} was checked at ${address}, and later at ${last}`, period)];
  });
}

function hostOf(address: string): string {
  const parsed = parseAddress(address);
  return canonicalHost(parsed?.kind === 'tcp' ? parsed.host : address);
}
