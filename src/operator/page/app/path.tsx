import { type Tone, toneOf } from './state.tsx';
import type { Link, Tunnel } from './types.ts';
import { plural, shown } from './words.ts';

interface Stop {
  readonly label: string;
  readonly text: string;
  readonly more: string;
  readonly tone: Tone;
}

/** The way of a connection: client, listener, sessions, host, target or successor. The broken stop is marked. */
export function Path({ tunnel, link }: { readonly tunnel: Tunnel; readonly link: Link | undefined }) {
  const stops = stopsOf(tunnel, link);
  return (
    <ol class="path" aria-label={`Path of ${shown(tunnel.name)}`}>
      {stops.map((stop) => (
        <li key={stop.label} class={`stop ${stop.tone}`}>
          <span class="stop-label">{stop.label}</span>
          <span class="stop-text">{stop.text}</span>
          {stop.more !== '' && <span class="stop-more">{stop.more}</span>}
        </li>
      ))}
    </ol>
  );
}

function stopsOf(tunnel: Tunnel, link: Link | undefined): Stop[] {
  const { usage, direction } = tunnel;
  const held = usage.held > 0 ? `, ${usage.held} waiting` : '';
  const clients: Stop = {
    label: direction === 'remote' ? 'Clients of the host' : 'Clients',
    text: `${usage.open} open${held}`,
    more: '',
    tone: usage.held > 0 ? 'warn' : 'calm',
  };
  const listener: Stop = {
    label: direction === 'remote' ? 'Listener on the host' : direction === 'dynamic' ? 'SOCKS5 listener' : 'Listener',
    text: shown(tunnel.listen),
    more: tunnel.listen_by === 'systemd' ? 'systemd' : '',
    tone: tunnel.state === 'stopped' ? 'calm' : 'good',
  };
  if (tunnel.route === 'successor' && tunnel.cutover !== null) {
    const { successor, usage: of } = tunnel.cutover;
    const text = `${of.open} open`;
    return [clients, listener, { label: 'Successor', text: shown(successor), more: text, tone: 'good' }];
  }
  // The last probe says nothing about a target behind a host that is away.
  const isUnreached = tunnel.state === 'down' && link?.state !== 'up';
  const ssh = sessionsStop(tunnel, link);
  const target: Stop = {
    label: direction === 'dynamic' ? 'Allowed targets' : 'Target',
    text: shown(tunnel.target),
    more: isUnreached ? '' : probeText(tunnel),
    tone: isUnreached ? 'calm' : probeTone(tunnel),
  };
  return [clients, listener, ssh, target];
}

function sessionsStop({ host, state }: Tunnel, link: Link | undefined): Stop {
  const label = 'SSH host';
  if (link === undefined || state === 'retired' || state === 'stopped') {
    return { label, text: shown(host), more: 'no session', tone: 'calm' };
  }
  const count = link.sessions.filter(({ role }) => role !== 'draining').length;
  const [first] = link.sessions;
  const rtt = first?.rtt_ms == null ? '' : `, ${first.rtt_ms.toFixed(1)} ms`;
  const more = count === 0 ? `no session: ${link.state}` : `${plural(count, 'session')}${rtt}`;
  return { label, text: shown(host), more, tone: count === 0 && state === 'down' ? 'bad' : toneOf(link.state) };
}

function probeText({ probe }: Tunnel): string {
  if (probe === null) return '';
  if (probe.state === 'passing') return probe.latency_ms === null ? 'probe passes' : `probe ${probe.latency_ms} ms`;
  return probe.state === 'failing' ? 'probe fails' : 'probe pending';
}

function probeTone({ probe, state }: Tunnel): Tone {
  if (probe?.state === 'failing') return 'bad';
  return state === 'stopped' || state === 'retired' ? 'calm' : toneOf(state);
}
