/** What the choice of a connection to drop needs to know about each connection. */
export interface Seat {
  /** No request is under way: a connection kept alive, a silent one, or a request that has not arrived completely. */
  readonly idle: boolean;
  /** The answer is complete here, but the client has not read all of it. */
  readonly unread: boolean;
  /** When the connection became idle, or its oldest answer began (performance.now(), in milliseconds). */
  readonly since: number;
}

/** A client gets this long to read its answer before the connection may be dropped, in milliseconds. */
const READING_MS = 1_000;

/**
 * The connection that a new one may replace: the one that is idle for longest, else the oldest unread answer. A
 * connection whose answer is still being made is never replaced. Pure.
 *
 * @param now performance.now()
 */
export function mostDispensable<Kind extends Seat>(seats: readonly Kind[], now: number): Kind | undefined {
  const idle = seats.filter((seat) => seat.idle);
  const unread = seats.filter((seat) => seat.unread && now - seat.since >= READING_MS);
  return oldest(idle) ?? oldest(unread);
}

function oldest<Kind extends Seat>(seats: readonly Kind[]): Kind | undefined {
  return seats.reduce<Kind | undefined>(
    (first, seat) => (first && first.since <= seat.since ? first : seat),
    undefined,
  );
}
