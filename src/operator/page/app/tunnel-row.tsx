import { Hint } from './hint.tsx';
import { HourBar } from './hour-bar.tsx';
import { Path } from './path.tsx';
import { linkTo } from './route.ts';
import { StatePill, toneOf } from './state.tsx';
import type { Link, Tunnel } from './types.ts';
import { percent, sentence, shown, since } from './words.ts';

export interface TunnelRowProps {
  readonly tunnel: Tunnel;
  readonly link: Link | undefined;
  readonly states: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether a tunnel that is up gets a single line. */
  readonly isCompact: boolean;
}

/** One tunnel of the overview. */
export function TunnelRow({ tunnel, link, states, now, isCompact }: TunnelRowProps) {
  const { name, state, production, note, retirement } = tunnel;
  const isLine = isCompact && state === 'up';
  return (
    <li class={`card tunnel ${toneOf(state)}${isLine ? ' line' : ''}`}>
      <div class="tunnel-head">
        <h3>
          <a href={linkTo(name)}>{shown(name)}</a>
        </h3>
        <StatePill state={state} />
        <span class="muted">for {since(tunnel.since, now)}</span>
        {production && <span class="tag">production</span>}
        {retirement?.verdict === 'retirable' && <span class="tag">retirable</span>}
        <span class="grow" />
        <Availability tunnel={tunnel} now={now} />
      </div>
      {note !== null && !isLine && <p class="muted note">{shown(note)}</p>}
      <Trouble tunnel={tunnel} link={link} now={now} />
      {!isLine && <Path tunnel={tunnel} link={link} />}
      <HourBar states={states} />
    </li>
  );
}

/** Why a tunnel is not up, the fix, and the next attempt. */
export function Trouble({ tunnel, link, now }: Omit<TunnelRowProps, 'states' | 'isCompact'>) {
  const { state, reason, last_error: own } = tunnel;
  if (state === 'up' || reason === null) return null;
  const error = own ?? (link?.state === 'up' ? null : link?.last_error);
  const next = link?.next_attempt_at;
  return (
    <div class={`trouble ${toneOf(state)}`}>
      <p>{sentence(shown(reason))}</p>
      {error != null && (
        <p>
          <b>Fix:</b> <Hint text={error.hint} /> <code>{error.code}</code>
        </p>
      )}
      {next != null && link?.state === 'backoff' && <p class="muted">{nextAttempt(next, now)}</p>}
    </div>
  );
}

function Availability({ tunnel, now }: { readonly tunnel: Tunnel; readonly now: number }) {
  const share = tunnel.availability?.['24h'];
  if (share == null) return null;
  const from = tunnel.observed_since;
  const isWhole = from === null || now - Date.parse(from) >= 86_400_000;
  return (
    <span class="muted">
      {percent(share)} up in {isWhole ? '24 h' : since(from, now)}
    </span>
  );
}

function nextAttempt(time: string, now: number): string {
  const seconds = Math.ceil((Date.parse(time) - now) / 1_000);
  return seconds > 0 ? `The next attempt is in ${seconds} s.` : 'The next attempt is due.';
}
