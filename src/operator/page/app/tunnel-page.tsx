import { useEffect, useState } from 'preact/hooks';
import { tunnelsOf } from '../../../retirement/evidence/tunnels-of.ts';
import { Chart } from './chart.tsx';
import { Events } from './events.tsx';
import { ask } from './feed.ts';
import { HourBar } from './hour-bar.tsx';
import { LinkFacts } from './links.tsx';
import { Path } from './path.tsx';
import { StatePill } from './state.tsx';
import { Trouble } from './tunnel-row.tsx';
import type { Event, Link, Tunnel, TunnelHour, Verdict } from './types.ts';
import { bytes, clock, shown, since } from './words.ts';

export interface TunnelPageProps {
  readonly tunnel: Tunnel;
  readonly link: Link | undefined;
  /** Newest first. */
  readonly events: readonly Event[];
  readonly now: number;
}

interface Past {
  readonly events: readonly Event[];
  readonly complete: boolean;
}

const EVERY_MS = 15_000;
const MOST_EVENTS = 100;

/** Everything about one tunnel. */
export function TunnelPage({ tunnel, link, events, now }: TunnelPageProps) {
  const { name, state, note, usage } = tunnel;
  const hour = useAnswer<TunnelHour>(`/history/${encodeURIComponent(name)}`);
  const verdict = useAnswer<Verdict>(tunnel.retirement === null ? undefined : `/drain/${encodeURIComponent(name)}`);
  const past = useAnswer<Past>(`/events?tunnel=${encodeURIComponent(name)}`);
  const timeline = timelineOf(tunnel, past?.events ?? [], events);
  return (
    <article>
      <p>
        <a href="#/">← All tunnels</a>
      </p>
      <div class="tunnel-head title">
        <h1>{shown(name)}</h1>
        <StatePill state={state} />
        <span class="muted">for {since(tunnel.since, now)}</span>
      </div>
      {note !== null && <p class="muted">{shown(note)}</p>}
      <Trouble tunnel={tunnel} link={link} now={now} />
      <div class="card">
        <Path tunnel={tunnel} link={link} />
        <HourBar states={hour?.states} />
      </div>
      {hour !== undefined && <Charts hour={hour} />}
      <p class="muted">
        {usage.opened_total} connections opened, {usage.failed_total} failed, {bytes(usage.bytes_to_target)} to the
        target, {bytes(usage.bytes_from_target)} back.{' '}
        {usage.last_activity_at === null
          ? 'No client has used the tunnel yet.'
          : `A client last used the tunnel ${since(usage.last_activity_at, now)} ago.`}
      </p>
      {verdict !== undefined && <VerdictCard verdict={verdict} />}
      <Clients clients={usage.clients} now={now} />
      {link !== undefined && (
        <section aria-labelledby="link">
          <h2 id="link">Host</h2>
          <div class="card">
            <LinkFacts link={link} now={now} />
          </div>
        </section>
      )}
      <Events title="Timeline" events={timeline} isCut={past?.complete === false} now={now} />
    </article>
  );
}

/** The events of the tunnel and of its sessions, newest first. `past` may reach further back than the events of the node. */
function timelineOf({ name, host, actor }: Tunnel, past: readonly Event[], events: readonly Event[]): readonly Event[] {
  const isAbout = (event: Event) => {
    const { host: itsHost, actor: itsActor } = event;
    const tunnels = tunnelsOf(event);
    return tunnels.includes(name) || (tunnels.length === 0 && itsHost === host && itsActor === actor);
  };
  const known = new Set(past.map(({ seq }) => seq));
  return [...past, ...events.filter((event) => isAbout(event) && !known.has(event.seq))]
    .sort((a, b) => b.seq - a.seq)
    .slice(0, MOST_EVENTS);
}

function Charts({ hour }: { readonly hour: TunnelHour }) {
  const last = hour.until === null ? 0 : Date.parse(hour.until) / 1_000;
  const times = hour.open.map((_, index) => last - (hour.open.length - 1 - index) * hour.every_s);
  const perSecond = (value: number) => `${bytes(value)}/s`;
  return (
    <div class="grid">
      <Chart
        title="Open connections"
        times={times}
        series={[{ label: 'open', values: hour.open, colour: '--accent' }]}
        format={String}
        isWhole
      />
      <Chart
        title="Traffic"
        times={times}
        series={[
          { label: 'to target', values: hour.to_target, colour: '--accent' },
          { label: 'from target', values: hour.from_target, colour: '--accent-2' },
        ]}
        format={perSecond}
        isWhole
      />
      <Chart
        title="Probe"
        times={times}
        series={[{ label: 'latency', values: hour.probe_ms, colour: '--accent' }]}
        format={(value) => `${Math.round(value * 10) / 10} ms`}
      />
    </div>
  );
}

function VerdictCard({ verdict }: { readonly verdict: Verdict }) {
  const { blockers, unknowns, message } = verdict;
  const tone = verdict.verdict === 'retirable' ? 'good' : verdict.verdict === 'blocked' ? 'warn' : 'calm';
  return (
    <section aria-labelledby="verdict">
      <h2 id="verdict">Retirement</h2>
      <div class="card">
        <p>
          {verdict.verdict !== null && <span class={`pill ${tone}`}>{verdict.verdict}</span>} {shown(message)}
        </p>
        <ul class="plain">
          {[...blockers, ...unknowns].map((found) => (
            <li key={found.code}>
              <code>{found.code}</code> {shown(found.message)}
              <div class="muted small">Clears when {shown(found.clears_when)}.</div>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function Clients({ clients, now }: { readonly clients: Tunnel['usage']['clients']; readonly now: number }) {
  if (clients === null || clients.length === 0) return null;
  return (
    <section aria-labelledby="clients">
      <h2 id="clients">Clients</h2>
      <div class="card">
        <table>
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col">Unit or pod</th>
              <th scope="col">Open</th>
              <th scope="col">Connections</th>
              <th scope="col">Last seen</th>
            </tr>
          </thead>
          <tbody>
            {clients.map((client) => (
              <tr key={`${client.process} ${client.unit} ${client.pod} ${client.address} ${client.uid}`}>
                <td>
                  {shown(client.process)} <span class="muted">{client.pid}</span>
                </td>
                <td>{shown(client.pod ?? client.unit ?? client.address ?? '')}</td>
                <td>{client.open}</td>
                <td>{client.connections_total}</td>
                <td>{clock(client.last_seen_at, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** The answer of a path, asked again now and then while the page is visible. */
function useAnswer<T>(path: string | undefined): T | undefined {
  const [answer, setAnswer] = useState<T>();
  useEffect(() => {
    setAnswer(undefined);
    if (path === undefined) return;
    let stopped = false;
    const look = async () => {
      if (document.hidden) return;
      const found = await ask<T>(path).catch(() => undefined);
      if (!stopped && found !== undefined) setAnswer(found);
    };
    void look();
    const timer = setInterval(look, EVERY_MS);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, [path]);
  return answer;
}
