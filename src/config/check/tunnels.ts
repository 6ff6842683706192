import { formatDuration, parseDuration } from '../duration.ts';
import { oneOf } from '../expectation.ts';
import { bodies, type Outline, type OutlineProbe, type OutlineTunnel } from '../outline.ts';
import type { ConfigPath, Finding } from '../problem.ts';
import { PROBE_KINDS } from '../schema/probe.ts';

/** Checks that the keys fit the direction of the tunnel, and that each probe has exactly one kind. */
export function checkTunnels(outline: Outline): Finding[] {
  return bodies(outline.tunnels).flatMap(([name, tunnel]) => [
    ...checkDirection(['tunnels', name], tunnel),
    ...checkProbe(['tunnels', name, 'probe'], tunnel.probe),
    ...checkProbe(['tunnels', name, 'drain', 'successor', 'probe'], tunnel.drain?.successor?.probe),
  ]);
}

function checkDirection(
  path: ConfigPath,
  { direction = 'local', target, allow, probe, while_down, drain }: OutlineTunnel,
): Finding[] {
  if (direction === 'mistaken') return [];
  const isDynamic = direction === 'dynamic';
  const findings: Finding[] = [];
  const report = (field: string, message: string) => findings.push({ path: [...path, field], message, at: 'key' });
  if (!isDynamic && target === undefined)
    report('target', `missing; expected host:port or unix:/path for ${direction}`);
  if (!isDynamic && allow !== undefined) report('allow', `cannot be used with direction ${direction}; expected target`);
  if (isDynamic && target !== undefined) report('target', 'cannot be used with direction dynamic; expected allow');
  if (isDynamic && allow === undefined)
    report('allow', 'missing; expected a list of destinations for direction dynamic');
  if (isDynamic && probe !== undefined)
    report('probe', 'cannot be used with direction dynamic, which has no fixed target to check; expected no probe');
  if (direction === 'remote' && while_down !== undefined)
    report('while_down', 'cannot be used with direction remote: while the link is down, nothing listens on the host');
  if (direction !== 'local' && drain?.successor !== undefined) {
    const message = `cannot be used with direction ${direction}: only a local tunnel can hand its port to a successor`;
    findings.push({ path: [...path, 'drain', 'successor'], message, at: 'key' });
  }
  return findings;
}

function checkProbe(path: ConfigPath, probe: OutlineProbe): Finding[] {
  if (probe === undefined) return [];
  const findings: Finding[] = [];
  const kinds = PROBE_KINDS.filter((kind) => probe[kind] !== undefined);
  if (kinds.length !== 1) {
    const got = kinds.length === 0 ? 'no kind of check' : kinds.join(' and ');
    findings.push({ path, message: `got ${got}; expected exactly one of ${oneOf(PROBE_KINDS)}`, at: 'key' });
  }
  const timeoutMs = parseDuration(probe.timeout ?? '');
  const everyMs = parseDuration(probe.every ?? '10s');
  if (timeoutMs !== undefined && everyMs !== undefined && timeoutMs > everyMs) {
    findings.push({
      path: [...path, 'timeout'],
      message: `${probe.timeout} is longer than the pause between two checks; expected at most every: ${formatDuration(everyMs)}`,
      at: 'value',
    });
  }
  return findings;
}
