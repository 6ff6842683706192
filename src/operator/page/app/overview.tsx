import { useState } from 'preact/hooks';
import { foldAlike, foldReloads } from '../../text/events.ts';
import { Events } from './events.tsx';
import type { Facts } from './feed.ts';
import { Hint } from './hint.tsx';
import { Links } from './links.tsx';
import { PlanSection } from './plan.tsx';
import { BY_URGENCY, toneOf } from './state.tsx';
import { TunnelRow } from './tunnel-row.tsx';
import type { Event, Link, Status, Tunnel } from './types.ts';
import { plural, shown, since } from './words.ts';

/** Tunnels and links of one page: more would slow the browser down. */
const PER_PAGE = 50;
/** With more tunnels than these, one line is enough for a tunnel that is up. */
const MOST_WITH_PATH = 12;
const SHOWN_EVENTS = 20;
const SHOWN_LINKS = 50;

export function Overview({ facts, status, now }: { facts: Facts; status: Status; now: number }) {
  const [search, setSearch] = useState('');
  const [state, setState] = useState<Tunnel['state'] | ''>('');
  const [page, setPage] = useState(0);
  const found = sorted(status.tunnels).filter((tunnel) => matches(tunnel, search, state));
  const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
  const current = Math.min(page, pages - 1);
  const links = new Map(status.links.map((link) => [`${link.host} ${link.actor}`, link]));
  const hours = new Map(facts.hour?.tunnels.map(({ name, states }) => [name, states]));
  return (
    <>
      <RejectedReload reload={status.config.last_reload} now={now} />
      <Advisories advisories={status.advisories} />
      <section aria-labelledby="tunnels">
        <div class="tunnel-head">
          <h2 id="tunnels">{plural(status.tunnels.length, 'tunnel')}</h2>
          <Filters tunnels={status.tunnels} state={state} choose={setState} />
          <span class="grow" />
          {status.tunnels.length > 5 && (
            <input
              type="search"
              placeholder="Search name, host, address"
              aria-label="Search tunnels"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
          )}
        </div>
        {found.length === 0 && (
          <p class="muted">
            {status.tunnels.length === 0 ? (
              <Hint text="No tunnel is configured. Add one with `fleet-mesh add NAME -L PORT:HOST:PORT user@host`." />
            ) : (
              'No tunnel matches.'
            )}
          </p>
        )}
        <ul class="plain tunnels">
          {found.slice(current * PER_PAGE, (current + 1) * PER_PAGE).map((tunnel) => (
            <TunnelRow
              key={tunnel.name}
              tunnel={tunnel}
              link={linkOf(links, tunnel)}
              states={hours.get(tunnel.name)}
              now={now}
              isCompact={found.length > MOST_WITH_PATH}
            />
          ))}
        </ul>
        {pages > 1 && <Pager page={current} pages={pages} go={setPage} />}
      </section>
      {facts.plan !== undefined && <PlanSection plan={facts.plan} />}
      <Links links={status.links.slice(0, SHOWN_LINKS)} now={now} />
      {status.links.length > SHOWN_LINKS && (
        <p class="muted">{status.links.length - SHOWN_LINKS} more hosts are on the pages of their tunnels.</p>
      )}
      <Events title="Recent events" events={recent(facts.events)} now={now} />
    </>
  );
}

/** Newest first; the lines of a reload are one, and so are those of an outage. */
function recent(events: readonly Event[]): readonly Event[] {
  return foldAlike(foldReloads(events.toReversed())).toReversed().slice(0, SHOWN_EVENTS);
}

export function linkOf(links: ReadonlyMap<string, Link>, { host, actor }: Tunnel): Link | undefined {
  return links.get(`${host} ${actor}`);
}

function RejectedReload({ reload, now }: { reload: Status['config']['last_reload']; now: number }) {
  if (reload === null || reload.ok) return null;
  return (
    <p class="trouble bad">
      <b>The reload {since(reload.at, now)} ago was rejected.</b> The previous configuration is still active:{' '}
      {shown(reload.error ?? 'no reason given')}
    </p>
  );
}

function Advisories({ advisories }: { readonly advisories: Status['advisories'] }) {
  if (advisories.length === 0) return null;
  return (
    <section aria-labelledby="advisories">
      <h2 id="advisories">{advisories.length === 1 ? '1 advisory' : `${advisories.length} advisories`}</h2>
      <ul class="plain">
        {advisories.map(({ code, message }) => (
          <li key={`${code} ${message}`} class="trouble warn">
            {shown(message)} <code>{code}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface FiltersProps {
  readonly tunnels: readonly Tunnel[];
  readonly state: Tunnel['state'] | '';
  readonly choose: (state: Tunnel['state'] | '') => void;
}

/** A button for each state that occurs. */
function Filters({ tunnels, state, choose }: FiltersProps) {
  const states = BY_URGENCY.filter((each) => tunnels.some((tunnel) => tunnel.state === each));
  if (tunnels.length < 2) return null;
  return (
    <fieldset class="filters">
      <legend class="visually-hidden">Show only</legend>
      {states.map((each) => (
        <button
          key={each}
          type="button"
          class={`pill ${toneOf(each)}`}
          aria-pressed={each === state}
          onClick={() => choose(each === state ? '' : each)}
        >
          {tunnels.filter((tunnel) => tunnel.state === each).length} {each}
        </button>
      ))}
    </fieldset>
  );
}

function Pager({ page, pages, go }: { page: number; pages: number; go: (page: number) => void }) {
  return (
    <nav class="pager" aria-label="Pages of tunnels">
      <button type="button" disabled={page === 0} onClick={() => go(page - 1)}>
        ← Previous
      </button>
      <span>
        Page {page + 1} of {pages}
      </span>
      <button type="button" disabled={page === pages - 1} onClick={() => go(page + 1)}>
        Next →
      </button>
    </nav>
  );
}

/** The broken thing first, production before others, then by name. */
function sorted(tunnels: readonly Tunnel[]): Tunnel[] {
  return [...tunnels].sort(
    (a, b) =>
      BY_URGENCY.indexOf(a.state) - BY_URGENCY.indexOf(b.state) ||
      Number(b.production) - Number(a.production) ||
      a.name.localeCompare(b.name, undefined, { numeric: true }),
  );
}

function matches(tunnel: Tunnel, search: string, state: Tunnel['state'] | ''): boolean {
  if (state !== '' && tunnel.state !== state) return false;
  const text = [tunnel.name, tunnel.host, tunnel.listen, tunnel.target, tunnel.note ?? ''].join(' ').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
