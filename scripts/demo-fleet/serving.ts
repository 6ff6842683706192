import type { SessionStatus, Status } from '../../src/telemetry/status/status.ts';

/** Sessions of the demo's link. */
const SESSIONS = 2;

/** The common credential of all sessions of the demo's link. */
export interface Serving {
  readonly type: SessionStatus['credential_type'];
  readonly serial: string | null;
  readonly validBefore: Date | null;
  /** Ids of the sessions. */
  readonly sessions: readonly number[];
}

/** Undefined while sessions are missing or have different credentials. Pure. */
export function servingOf({ links: [link] }: Status): Serving | undefined {
  if (link === undefined || link.state !== 'up') return undefined;
  const { type, serial, valid_before: validBefore } = link.credential;
  const serving = link.sessions.filter(({ role }) => role !== 'draining');
  const same = serving.every(
    (each) => each.credential_type === type && each.authenticated_until?.getTime() === validBefore?.getTime(),
  );
  if (serving.length !== SESSIONS || !same) return undefined;
  return { type, serial, validBefore, sessions: serving.map(({ id }) => id) };
}

/** The change from one credential or session to the next. */
export type Turn = 'static key' | 'first certificate' | 'rotation' | 'other sessions';

/** The change between two states; undefined: no change. Pure. */
export function turnBetween(before: Serving | undefined, now: Serving): Turn | undefined {
  if (before?.type !== now.type) return now.type === 'certificate' ? 'first certificate' : 'static key';
  if (before.serial !== now.serial) return 'rotation';
  return before.sessions.join() === now.sessions.join() ? undefined : 'other sessions';
}
