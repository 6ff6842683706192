import type { Span, TunnelHistory } from '../../../src/retirement/evidence/history.ts';

/** What a planted bug changes at the seams of the simulator. Without any: the daemon as it is. */
export interface Bug {
  /** The history on its way to the verdict. */
  history?(history: TunnelHistory): TunnelHistory;
  /** Uptime follows the wall clock. */
  readonly trustsWallClock?: true;
  /** Nobody holds the lock of the state directory. */
  readonly forgetsLock?: true;
  /** A file is not flushed before its write is confirmed. */
  readonly forgetsSync?: true;
  /** Commands do not take turns. */
  readonly forgetsTurns?: true;
  /** A retirement is judged at its request only. */
  readonly judgesEarly?: true;
  /** A disk that fails is no reason against the verdict. */
  readonly ignoresDisk?: true;
  /** Nobody notices that the log was moved, cut or changed. */
  readonly ignoresTampering?: true;
  /** The plan is read once. */
  readonly ignoresPlan?: true;
  /** The probe of a successor always passes. */
  readonly ignoresSuccessor?: true;
  /** One door answers from its own, older verdict. */
  readonly answersLate?: true;
}

/** Bugs to plant in the daemon: the simulator must find each of them. */
export const PLANTED = {
  /** A gap in the watch does not count: neither a restart nor a long silence. */
  gap: {
    history: ({ spans, ...rest }) => {
      const joined: Span[] = [];
      for (const span of spans) joined.push({ ...span, from: joined.at(-1)?.until ?? span.from, begins: false });
      return { ...rest, spans: joined };
    },
  },
  /** A closed port does not count. */
  port: { history: ({ spans, ...rest }) => ({ ...rest, spans: spans.map((span) => ({ ...span, serving: true })) }) },
  /** A use counts as one of long ago. */
  use: {
    history: ({ spans, lastActivityAt, ...rest }) => {
      return { ...rest, spans, lastActivityAt: lastActivityAt && (spans[0]?.from ?? 0) - 3_600_000 };
    },
  },
  clock: { trustsWallClock: true },
  lock: { forgetsLock: true },
  sync: { forgetsSync: true },
  turns: { forgetsTurns: true },
  early: { judgesEarly: true },
  disk: { ignoresDisk: true },
  tampering: { ignoresTampering: true },
  plan: { ignoresPlan: true },
  successor: { ignoresSuccessor: true },
  door: { answersLate: true },
} as const satisfies Record<string, Bug>;
export type Planted = keyof typeof PLANTED;
