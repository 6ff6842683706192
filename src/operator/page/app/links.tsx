import { Hint } from './hint.tsx';
import { StatePill } from './state.tsx';
import type { Link, Session } from './types.ts';
import { shown, since, until } from './words.ts';

/** Every link with its sessions and its credential. */
export function Links({ links, now }: { readonly links: readonly Link[]; readonly now: number }) {
  if (links.length === 0) return null;
  return (
    <section aria-labelledby="links">
      <h2 id="links">Hosts</h2>
      <ul class="grid">
        {links.map((link) => (
          <li key={`${link.host} ${link.actor}`} class="card">
            <div class="tunnel-head">
              <h3>{shown(link.host)}</h3>
              <StatePill state={link.state} />
              <span class="muted">
                as {shown(link.actor)}
                {link.jump === null ? '' : ` over ${shown(link.jump)}`}
              </span>
            </div>
            {link.degraded !== null && <p class="trouble warn">{shown(link.degraded)}</p>}
            {link.state !== 'up' && link.last_error !== null && (
              <p class="trouble bad">
                {shown(link.last_error.message)}. <b>Fix:</b> <Hint text={link.last_error.hint} />
              </p>
            )}
            <ul class="plain">
              {link.sessions.map((session) => (
                <SessionLine key={session.id} session={session} now={now} />
              ))}
              {link.sessions.length === 0 && <li class="muted">No session is open.</li>}
            </ul>
            <Credential credential={link.credential} now={now} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function SessionLine({ session, now }: { readonly session: Session; readonly now: number }) {
  const { role, connections, rtt_ms: rtt, server, kex, cipher } = session;
  return (
    <li>
      <b>{role}</b> session for {since(session.since, now)}, {connections} open
      {rtt === null ? '' : `, ${rtt.toFixed(1)} ms`}
      <div class="muted small">{[server, kex, cipher].map(shown).join(' · ')}</div>
    </li>
  );
}

/** The credential, with a bar for the rest of its life. */
function Credential({ credential, now }: { readonly credential: Link['credential']; readonly now: number }) {
  const { type, valid_after: from, valid_before: end, renew_at: renew, renewal } = credential;
  if (type !== 'certificate' || from === null || end === null) {
    return <p class="muted small">Credential: {type === 'static_key' ? 'static key' : type}</p>;
  }
  const left = Math.min(1, Math.max(0, (Date.parse(end) - now) / (Date.parse(end) - Date.parse(from))));
  const text = `Certificate: ${until(end, now)} left`;
  return (
    <div class="life">
      <div class="small">
        {text}
        {renew !== null && Date.parse(renew) > now && <span class="muted">, renewal in {until(renew, now)}</span>}
        {renewal?.last_error != null && <span class="bad-text">, renewal fails</span>}
      </div>
      <meter min={0} max={1} low={0.1} value={left} aria-label={text} />
    </div>
  );
}
