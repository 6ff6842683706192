import { bodies, type Outline, type OutlineHost } from '../outline.ts';
import type { Finding } from '../problem.ts';

/** Checks that jump hosts form no cycle, and that each hop has a user. check/names.ts reports unknown names. */
export function checkJumps(outline: Outline): Finding[] {
  return [...checkCycles(outline), ...checkUsers(outline)];
}

/** Reports each cycle once, at its first host in the file. */
function checkCycles(outline: Outline): Finding[] {
  const reported = new Set<string>();
  return bodies(outline.hosts).flatMap(([name]): Finding[] => {
    const chain = chainFrom(outline, name);
    const again = chain.at(-1);
    if (again !== name || chain.length <= 2 || reported.has(name)) return [];
    for (const member of chain) reported.add(member);
    return [
      {
        path: ['hosts', name, 'jump'],
        message: `the jump hosts form a cycle: ${chain.join(' -> ')}; expected a chain that ends at a host without jump`,
        at: 'value',
      },
    ];
  });
}

/** A host and its jump hosts, up to the first repeated host. */
function chainFrom(outline: Outline, name: string): string[] {
  const chain = [name];
  for (let next = jumpHost(outline, name); next !== undefined; next = jumpHost(outline, next)) {
    const seen = chain.includes(next);
    chain.push(next);
    if (seen) break;
  }
  return chain;
}

/** Reports each host once. A host that a tunnel uses is already reported by check/names.ts. */
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
        message: `missing; expected a login user, because host ${name} jumps through this host`,
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
