import type { Status } from '../../telemetry/status/status.ts';
import type { Notice } from './notice.ts';

/** A change is told once it has lasted so long, in milliseconds: a flap is no change. */
const SETTLED_MS = 10_000;

type Fact = Pick<Notice, 'event' | 'tunnel' | 'state' | 'code' | 'text'>;

interface Watched {
  /** The state that was told last; up, or no advisory, at the start. */
  told: string;
  fact: Fact;
  /** Since when the fact has this state, by the monotonic clock. */
  since: number;
}

const NO_LONGER = 'cleared';

/**
 * Finds the changes worth a notice in a sequence of snapshots. A state is told when it has lasted for ten seconds and
 * differs from the last one told.
 */
export class Changes {
  readonly #watched = new Map<string, Watched>();

  /** @param now milliseconds of the monotonic clock, at least as late as before */
  observe(snapshot: Status, now: number): readonly Notice[] {
    const facts = factsOf(snapshot);
    for (const [key, fact] of facts) this.#see(key, fact, now);
    for (const [key, { fact }] of this.#watched) {
      if (facts.has(key)) continue;
      if (fact.event === 'advisory') this.#see(key, { ...fact, state: NO_LONGER }, now);
      else this.#watched.delete(key);
    }
    const notices: Notice[] = [];
    for (const [key, watched] of this.#watched) {
      const { fact, told, since } = watched;
      if (now - since < SETTLED_MS) continue;
      if (fact.state !== told) notices.push(noticeOf(fact, snapshot));
      watched.told = fact.state;
      if (fact.state === NO_LONGER) this.#watched.delete(key);
    }
    return notices;
  }

  #see(key: string, fact: Fact, now: number): void {
    const watched = this.#watched.get(key);
    if (watched === undefined) {
      this.#watched.set(key, { told: fact.event === 'advisory' ? NO_LONGER : 'up', fact, since: now });
    } else {
      if (watched.fact.state !== fact.state) watched.since = now;
      watched.fact = fact;
    }
  }
}

function factsOf(snapshot: Status): Map<string, Fact> {
  const facts = new Map<string, Fact>();
  const { state, reason, node } = snapshot;
  const about = { event: 'node.state', tunnel: null, code: null } as const;
  facts.set('node', { ...about, state, text: sentence(`${node} is ${state}`, reason) });
  for (const { name, state: now, reason: why, last_error: error } of snapshot.tunnels) {
    const code = now === 'up' ? null : (error?.code ?? null);
    facts.set(`tunnel ${name}`, {
      event: 'tunnel.state',
      tunnel: name,
      state: now,
      code,
      text: sentence(`${name} is ${now}`, why),
    });
  }
  for (const { code, message, subject } of snapshot.advisories) {
    facts.set(`advisory ${code} ${subject ?? message}`, {
      event: 'advisory',
      tunnel: null,
      state: 'raised',
      code,
      text: message,
    });
  }
  return facts;
}

function noticeOf(fact: Fact, { node, now }: Status): Notice {
  const text = fact.state === NO_LONGER ? `No longer: ${fact.text}` : fact.text;
  return { schema: 1, node, at: now.toISOString(), ...fact, text };
}

function sentence(what: string, why: string | null): string {
  return why === null ? what : `${what}: ${why}`;
}
