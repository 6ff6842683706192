import { bodies, type Outline, type OutlineHost } from '../outline.ts';
import type { Finding } from '../problem.ts';

/** That ways over jump hosts end, and that one can log in at each hop. Dangling names are reported by check/names.ts. */
export function checkJumps(outline: Outline): Finding[] {
  return [...checkCycles(outline), ...checkUsers(outline)];
}

/** Each cycle once, at its first host in the file. */
function checkCycles(outline: Outline): Finding[] {
  const told = new Set<string>();
  return bodies(outline.hosts).flatMap(([name]): Finding[] => {
    const chain = chainFrom(outline, name);
    const again = chain.at(-1);
    if (again !== name || chain.length <= 2 || told.has(name)) return [];
    for (const member of chain) told.add(member);
    return [
      {
        path: ['hosts', name, 'jump'],
        message: `the jump hosts go round in a circle: ${chain.join(' -> ')}; expected a way that ends at a host without jump`,
        at: 'value',
      },
    ];
  });
}

/** A host and those it is reached through, up to the first one that comes a second time. */
function chainFrom(outline: Outline, name: string): string[] {
  const chain = [name];
  for (let next = jumpHost(outline, name); next !== undefined; next = jumpHost(outline, next)) {
    const seen = chain.includes(next);
    chain.push(next);
    if (seen) break;
  }
  return chain;
}

/** One mistake for each host, however many jump through it; not where a tunnel goes there, which is reported already. */
function checkUsers(outline: Outline): Finding[] {
  const wanted = new Set(bodies(outline.tunnels).map(([, { host }]) => host));
  return bodies(outline.hosts).flatMap(([name]): Finding[] => {
    const through = jumpHost(outline, name);
    const jump = through === undefined ? undefined : hostOf(outline, through);
    if (
      through === undefined ||
      through === name ||
      jump === undefined ||
      jump.user !== undefined ||
      wanted.has(through)
    )
      return [];
    wanted.add(through);
    return [
      {
        path: ['hosts', through, 'user'],
        message: `missing; expected a user to log in as, since host ${name} is reached through this one`,
        at: 'key',
      },
    ];
  });
}

function jumpHost(outline: Outline, name: string): string | undefined {
  return hostOf(outline, name)?.jump?.host;
}

function hostOf({ hosts }: Outline, name: string): OutlineHost | undefined {
  return hosts !== undefined && Object.hasOwn(hosts, name) ? hosts[name] : undefined;
}
