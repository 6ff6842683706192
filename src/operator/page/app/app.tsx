import { useEffect, useErrorBoundary, useState } from 'preact/hooks';
import { type Facts, useFacts } from './feed.ts';
import { linkOf, Overview } from './overview.tsx';
import { useRoute } from './route.ts';
import { StatePill } from './state.tsx';
import { TunnelPage } from './tunnel-page.tsx';
import { shown, since } from './words.ts';

/** The whole page. */
export function App() {
  const facts = useFacts();
  const now = useNow();
  const [broken] = useErrorBoundary();
  if (broken !== undefined) return <Broken />;
  return <Whole facts={facts} now={now} />;
}

/** Better no page than one that stands still and looks alive. */
function Broken() {
  return (
    <main role="alert">
      <p class="trouble bad">
        This page does not understand the answers of the daemon. Reload the page.{' '}
        <a href="/status?format=text">Status as text</a>
      </p>
    </main>
  );
}

function Whole({ facts, now }: { readonly facts: Facts; readonly now: number }) {
  const title = useTitle(facts);
  useEffect(() => {
    if (title !== undefined) document.title = title;
  }, [title]);
  return (
    <>
      <Header facts={facts} now={now} />
      <main>
        <Content facts={facts} now={now} />
      </main>
    </>
  );
}

function Content({ facts, now }: { readonly facts: Facts; readonly now: number }) {
  const route = useRoute();
  const { status, failure } = facts;
  if (status === undefined) return failure === undefined ? <p class="muted">Reading the status …</p> : null;
  if (route.kind === 'overview') return <Overview facts={facts} status={status} now={now} />;
  const tunnel = status.tunnels.find(({ name }) => name === route.name);
  if (tunnel === undefined) {
    return (
      <p>
        No tunnel has the name {shown(route.name)}. Somebody may have removed it from the tunnel YAML.{' '}
        <a href="#/">All tunnels</a>
      </p>
    );
  }
  const links = new Map(status.links.map((link) => [`${link.host} ${link.actor}`, link]));
  return <TunnelPage key={tunnel.name} tunnel={tunnel} link={linkOf(links, tunnel)} events={facts.events} now={now} />;
}

/** What a browser shows on the tab: trouble first, then the tunnel or the node. */
function useTitle({ status }: Facts): string | undefined {
  const route = useRoute();
  if (status === undefined) return undefined;
  const tunnel = route.kind === 'tunnel' ? status.tunnels.find(({ name }) => name === route.name) : undefined;
  const { state } = tunnel ?? status;
  const subject = tunnel === undefined ? status.node : `${tunnel.name} on ${status.node}`;
  return shown(`${state === 'up' ? '' : `${state}: `}${subject}`);
}

function Header({ facts, now }: { readonly facts: Facts; readonly now: number }) {
  const { status, failure, live, at } = facts;
  return (
    <header>
      <div class="bar">
        <a class="brand" href="#/">
          fleet-mesh
        </a>
        {status !== undefined && (
          <>
            <b>{shown(status.node)}</b>
            <StatePill state={status.state} />
            <span class="muted wide">
              {status.version}, running for {since(status.started_at, now)}
            </span>
          </>
        )}
        <span class="grow" />
        <span class={live && failure === undefined ? 'muted' : 'bad-text'}>
          {live && failure === undefined ? 'live' : 'events interrupted'}
        </span>
      </div>
      <div role="status">
        {failure !== undefined && (
          <p class="trouble bad">
            {failure}
            {at === 0 ? '.' : `. The facts below are ${Math.round((now - at) / 1_000)} s old.`} See{' '}
            <code>systemctl status fleet-mesh</code> on the node.
          </p>
        )}
      </div>
      {status?.reason != null && <p class="headline">{shown(status.reason)}</p>}
    </header>
  );
}

/** The present, in milliseconds since the epoch, once a second. */
function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
