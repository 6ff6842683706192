import type { Ip } from '../../base/net/ip.ts';
import type { Destination } from './destination.ts';
import type { AllowRule, HostPattern } from './rule.ts';

/** Whether a rule covers the destination. Everything else is forbidden. Pure. */
export function isAllowed(rules: readonly AllowRule[], { host, port }: Destination): boolean {
  return rules.some(({ hosts, ports: [first, last] }) => first <= port && port <= last && covers(hosts, host));
}

/** A name never matches an address rule: the far side resolves the name after this decision. */
function covers(pattern: HostPattern, host: Destination['host']): boolean {
  if (host.kind === 'ip') return pattern.kind === 'network' && isWithin(host.ip, pattern.ip, pattern.bits);
  switch (pattern.kind) {
    case 'network':
      return false;
    case 'any_name':
      return true;
    case 'name':
      return host.name === pattern.name;
    case 'below':
      return host.name.endsWith(`.${pattern.parent}`);
  }
}

function isWithin(ip: Ip, network: Ip, bits: number): boolean {
  if (ip.length !== network.length) return false;
  return ip.every((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return (byte ^ (network[index] ?? 0)) >> (8 - kept) === 0;
  });
}
