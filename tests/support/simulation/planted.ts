import type { Span, TunnelHistory } from '../../../src/retirement/evidence/history.ts';

/** Bugs to plant in the daemon: the simulator must find each of them. They see the history on its way to the verdict. */
export const PLANTED = {
  /** A gap in the watch does not count: neither a restart nor a long silence. */
  gap: ({ spans, ...rest }: TunnelHistory): TunnelHistory => {
    const joined: Span[] = [];
    for (const span of spans) joined.push({ ...span, from: joined.at(-1)?.until ?? span.from, begins: false });
    return { ...rest, spans: joined };
  },
  /** A closed port does not count. */
  port: ({ spans, ...rest }: TunnelHistory): TunnelHistory => {
    return { ...rest, spans: spans.map((span) => ({ ...span, serving: true })) };
  },
  /** A use counts as one of long ago. */
  use: ({ spans, lastActivityAt, ...rest }: TunnelHistory): TunnelHistory => {
    return { ...rest, spans, lastActivityAt: lastActivityAt && (spans[0]?.from ?? 0) - 3_600_000 };
  },
} as const satisfies Record<string, (history: TunnelHistory) => TunnelHistory>;
export type Planted = keyof typeof PLANTED;
