import { didYouMean } from '../../base/text/closest.ts';
import { describeValue, oneOf } from '../expectation.ts';
import { bodies, type Outline, type OutlineHost, type OutlineTunnel } from '../outline.ts';
import type { ConfigPath, Finding } from '../problem.ts';
import { NAME_EXPECTED, NAME_PATTERN } from '../schema/scalars.ts';

const SECTIONS = ['hosts', 'actors', 'tunnels'] as const;

/** Checks that names are well-formed, and that every reference names an existing entry. */
export function checkNames(outline: Outline): Finding[] {
  const malformed = SECTIONS.flatMap((section) =>
    Object.keys(outline[section] ?? {})
      .filter((name) => !NAME_PATTERN.test(name))
      .map(
        (name): Finding => ({
          path: [section, name],
          message: `${describeValue(name)}; expected ${NAME_EXPECTED}${didYouMean(name, [name.toLowerCase()])}`,
          at: 'key',
        }),
      ),
  );
  const wanted = new Set<string>();
  return [
    ...malformed,
    ...dangling(['node'], outline.node, outline.hosts, 'host'),
    ...bodies(outline.tunnels).flatMap(([name, tunnel]) => checkTunnel(outline, name, tunnel, wanted)),
    ...bodies(outline.hosts).flatMap(([name, { jump }]) => checkJump(outline, name, jump)),
  ];
}

/** `wanted`: hosts whose missing user is already reported. Each host is reported once. */
function checkTunnel(outline: Outline, name: string, tunnel: OutlineTunnel, wanted: Set<string>): Finding[] {
  const at = (field: string) => ['tunnels', name, field];
  const findings = [
    ...dangling(at('host'), tunnel.host, outline.hosts, 'host'),
    ...dangling(at('actor'), tunnel.actor, outline.actors, 'actor'),
  ];
  const host = tunnel.host === undefined ? undefined : own(outline.hosts, tunnel.host);
  if (tunnel.host !== undefined && host !== undefined && host.user === undefined && !wanted.has(tunnel.host)) {
    wanted.add(tunnel.host);
    findings.push({
      path: ['hosts', tunnel.host, 'user'],
      message: `missing; expected a login user, because tunnel ${name} uses this host`,
      at: 'key',
    });
  }
  return findings;
}

function checkJump(outline: Outline, name: string, jump: OutlineHost['jump']): Finding[] {
  if (jump === undefined) return [];
  const path = ['hosts', name, 'jump'];
  if (jump.host === name) {
    return [{ path, message: 'a host cannot be reached through itself; expected another host', at: 'value' }];
  }
  return [...dangling(path, jump.host, outline.hosts, 'host'), ...dangling(path, jump.actor, outline.actors, 'actor')];
}

function dangling(
  path: ConfigPath,
  name: string | undefined,
  section: Record<string, unknown> | undefined,
  kind: 'host' | 'actor',
): Finding[] {
  // A missing or malformed section is reported by the schema. Otherwise every reference would be reported too.
  if (name === undefined || section === undefined || Object.hasOwn(section, name)) return [];
  const known = Object.keys(section);
  const expected = known.length === 0 ? `a name under ${kind}s, which is empty` : oneOf(known.slice(0, 12));
  return [
    {
      path,
      message: `there is no ${kind} ${JSON.stringify(name)}; expected ${expected}${didYouMean(name, known)}`,
      at: 'value',
    },
  ];
}

function own<Body>(section: Record<string, Body> | undefined, name: string): Body | undefined {
  return section !== undefined && Object.hasOwn(section, name) ? section[name] : undefined;
}
