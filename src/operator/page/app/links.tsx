import type { ComponentChildren } from 'preact';
import { Hint } from './hint.tsx';
import { StatePill } from './state.tsx';
import type { Link, Session } from './types.ts';
import { sentence, shown, since, until } from './words.ts';

/** Every link with its sessions and its credential. */
export function Links({ links, now }: { readonly links: readonly Link[]; readonly now: number }) {
  if (links.length === 0) return null;
  return (
    <section aria-labelledby="links">
      <h2 id="links">Hosts</h2>
      <ul class="grid">
        {links.map((link) => (
          <li key={`${link.host} ${link.actor}`} class="card">
            <LinkFacts link={link} now={now} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** One link: its state, its trouble, its sessions and its credential. */
export function LinkFacts({ link, now }: { readonly link: Link; readonly now: number }) {
  const { host, actor, jump, state, degraded, last_error: error, sessions, credential } = link;
  return (
    <>
      <div class="tunnel-head">
        <h3>{shown(host)}</h3>
        <StatePill state={state} />
        <span class="muted">
          as {shown(actor)}
          {jump === null ? '' : ` over ${shown(jump)}`}
        </span>
      </div>
      {degraded !== null && <p class="trouble warn">{sentence(shown(degraded))}</p>}
      {state !== 'up' && error !== null && (
        <p class="trouble bad">
          {sentence(shown(error.message))} <b>Fix:</b> <Hint text={error.hint} />
        </p>
      )}
      <ul class="plain">
        {sessions.map((session) => (
          <SessionLine key={session.id} session={session} usualEnd={credential.valid_before} now={now} />
        ))}
        {sessions.length === 0 && <li class="muted">No session is open.</li>}
      </ul>
      <Credential credential={credential} now={now} />
    </>
  );
}

interface SessionLineProps {
  readonly session: Session;
  /** The expiry of the link's credential: only another one needs a bar of its own. */
  readonly usualEnd: string | null;
  readonly now: number;
}

function SessionLine({ session, usualEnd, now }: SessionLineProps) {
  const { id, role, connections, rtt_ms: rtt, server, kex, cipher, authenticated_until: end } = session;
  return (
    <li>
      <b>{role}</b> session {id} for {since(session.since, now)}, {connections} open
      {rtt === null ? '' : `, ${rtt.toFixed(1)} ms`}
      <div class="muted small">{[server, kex, cipher].map(shown).join(' · ')}</div>
      {end !== null && end !== usualEnd && (
        <Life what={`Login of session ${id}`} from={session.since} end={end} now={now} />
      )}
    </li>
  );
}

/** The credential, with a bar for the rest of its life. */
function Credential({ credential, now }: { readonly credential: Link['credential']; readonly now: number }) {
  const { type, valid_after: from, valid_before: end, renew_at: renew, renewal } = credential;
  if (type !== 'certificate' || from === null || end === null) {
    return <p class="muted small">Credential: {type === 'static_key' ? 'static key' : type}</p>;
  }
  const error = renewal?.last_error;
  return (
    <>
      <Life what="Certificate" from={from} end={end} now={now}>
        {renew !== null && Date.parse(renew) > now && <span class="muted">, renewal in {until(renew, now)}</span>}
      </Life>
      {error != null && (
        <p class="trouble warn">
          The renewal fails: {shown(error.message)}. <b>Fix:</b> <Hint text={error.hint} />
        </p>
      )}
    </>
  );
}

interface LifeProps {
  readonly what: string;
  readonly from: string;
  readonly end: string;
  readonly now: number;
  readonly children?: ComponentChildren;
}

/** A bar for the rest of a life. */
function Life({ what, from, end, now, children }: LifeProps) {
  const left = Math.min(1, Math.max(0, (Date.parse(end) - now) / (Date.parse(end) - Date.parse(from))));
  const text = Date.parse(end) <= now ? `${what}: expired` : `${what}: ${until(end, now)} left`;
  return (
    <div class="life">
      <div class="small">
        {text}
        {children}
      </div>
      <meter min={0} max={1} low={0.1} value={left} aria-label={text} />
    </div>
  );
}
