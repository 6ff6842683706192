import { useEffect, useState } from 'preact/hooks';
import type { Event, Hour, Plan, Status } from './types.ts';

/** What the page knows about the node. */
export interface Facts {
  readonly status: Status | undefined;
  readonly plan: Plan | undefined;
  readonly hour: Hour | undefined;
  /** Newest first. */
  readonly events: readonly Event[];
  /** Why the facts are old: the daemon does not answer. */
  readonly failure: string | undefined;
  /** Whether events arrive as they happen. */
  readonly live: boolean;
  /** When the facts arrived, in milliseconds since the epoch. */
  readonly at: number;
}

const EVERY_MS = 2_000;
const TIMEOUT_MS = 8_000;
/** History and plan change slowly. */
const SLOW_EVERY_MS = 15_000;
const MOST_EVENTS = 200;
const REOPEN_MS = 10_000;

const NOTHING: Facts = {
  status: undefined,
  plan: undefined,
  hour: undefined,
  events: [],
  failure: undefined,
  live: false,
  at: 0,
};

/** Asks for JSON. Rejects with a sentence; resolves with undefined for a 404. */
export async function ask<T>(path: string): Promise<T | undefined> {
  const answer = await fetch(path, {
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`The daemon answered ${answer.status}`);
  return answer.json();
}

/**
 * Keeps the facts up to date: the event stream says when something happened, and a poll every two seconds reads the numbers.
 * One request at a time, and none while nobody looks.
 */
export function useFacts(): Facts {
  const [facts, setFacts] = useState(NOTHING);
  useEffect(() => {
    const change = (part: Partial<Facts>) => setFacts((before) => ({ ...before, ...part }));
    let hasPlan = false;
    const stopPolls = [
      poll(EVERY_MS, async () => {
        const status = await refresh(change);
        // A plan that appears or goes is worth a look at once; without one, nobody asks for it.
        if (status !== undefined && hasPlan !== (status.plan !== null)) {
          hasPlan = status.plan !== null;
          await refreshSlow(change, hasPlan);
        }
      }),
      poll(SLOW_EVERY_MS, () => refreshSlow(change, hasPlan)),
    ];
    const stopStream = followEvents(change, (event) =>
      setFacts((before) => ({ ...before, events: withEvent(before.events, event) })),
    );
    return () => {
      for (const stop of [...stopPolls, stopStream]) stop();
    };
  }, []);
  return facts;
}

type Change = (part: Partial<Facts>) => void;

async function refresh(change: Change): Promise<Status | undefined> {
  try {
    const status = await ask<Status>('/status');
    reloadIfReplaced(status);
    change({ status, failure: undefined, at: Date.now() });
    return status;
  } catch (error) {
    const isTimeout = error instanceof Error && error.name === 'TimeoutError';
    change({ failure: isTimeout ? 'The daemon does not answer' : failureText(error) });
    return undefined;
  }
}

let version: string | undefined;

/** Another version of the daemon has another page: this one might not understand the answers. */
function reloadIfReplaced(status: Status | undefined): void {
  version ??= status?.version;
  if (status !== undefined && status.version !== version) location.reload();
}

function failureText(error: unknown): string {
  // A failed fetch is a TypeError whose message differs from browser to browser.
  return error instanceof Error && !(error instanceof TypeError) ? error.message : 'The daemon is unreachable';
}

async function refreshSlow(change: Change, hasPlan: boolean): Promise<void> {
  const quiet = <T>(path: string) => ask<T>(path).catch(() => undefined);
  const [plan, hour] = await Promise.all([hasPlan ? quiet<Plan>('/plan') : undefined, quiet<Hour>('/history')]);
  change({ plan, hour });
}

/** Runs a task now and then, one run at a time, while the page is visible. */
function poll(everyMs: number, task: () => Promise<void>): () => void {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = async () => {
    clearTimeout(timer);
    timer = undefined;
    if (!document.hidden) await task();
    if (!stopped) timer = setTimeout(run, everyMs);
  };
  const onVisible = () => {
    if (!document.hidden && timer !== undefined) void run();
  };
  document.addEventListener('visibilitychange', onVisible);
  void run();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', onVisible);
  };
}

/**
 * The browser itself reconnects, and asks for the events that it missed. A hidden page follows nothing: a browser opens six
 * connections to a server, and streams of forgotten tabs would leave none for the page that somebody looks at.
 */
function followEvents(change: Change, add: (event: Event) => void): () => void {
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  const open = () => {
    if (document.hidden) return;
    // Also what happened while nobody followed.
    void ask<{ events: Event[] }>('/events?since=24h')
      .then((answer) => answer?.events.slice(-MOST_EVENTS).forEach(add))
      .catch(() => {});
    const opened = new EventSource('/events');
    source = opened;
    opened.onopen = () => change({ live: true });
    opened.onmessage = ({ data }) => add(JSON.parse(data));
    opened.onerror = () => {
      change({ live: false });
      // After an answer other than 200, for example when too many clients follow, the browser gives up.
      if (opened.readyState === EventSource.CLOSED) again = setTimeout(open, REOPEN_MS);
    };
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
  };
  const onVisible = () => {
    close();
    open();
  };
  document.addEventListener('visibilitychange', onVisible);
  open();
  return () => {
    document.removeEventListener('visibilitychange', onVisible);
    close();
  };
}

function withEvent(events: readonly Event[], event: Event): readonly Event[] {
  if (events.some(({ seq }) => seq === event.seq)) return events;
  return [event, ...events].sort((a, b) => b.seq - a.seq).slice(0, MOST_EVENTS);
}
