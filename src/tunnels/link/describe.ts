import type { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type {
  CredentialStatus,
  LinkState,
  LinkStatus,
  ReplacementStatus,
  SessionRole,
  SessionStatus,
} from '../../telemetry/status/status.ts';
import type { Retry } from './retry.ts';
import type { Roster } from './roster.ts';
import type { Held } from './session.ts';

interface LinkFacts {
  readonly host: string;
  readonly actor: ActorConfig;
  /** Name of the jump host. */
  readonly jump: string | undefined;
  readonly state: LinkState;
  readonly retry: Pick<Retry, 'attempts' | 'nextAttemptAt' | 'lastError'>;
  readonly sessionsWanted: number;
  readonly replacement: ReplacementStatus | null;
  readonly fallbackReason: TunnelError | undefined;
  readonly credential: CredentialStatus;
  readonly roster: Roster;
}

/** A link's part of the snapshot. Pure. */
export function describeLink({ roster, ...facts }: LinkFacts): LinkStatus {
  const active = roster.choose();
  return {
    host: facts.host,
    actor: facts.actor.name,
    jump: facts.jump ?? null,
    state: facts.state,
    attempts: facts.retry.attempts,
    next_attempt_at: facts.retry.nextAttemptAt ?? null,
    last_error: facts.retry.lastError?.report() ?? null,
    degraded: facts.fallbackReason?.message ?? null,
    credential: facts.credential,
    sessions_wanted: facts.sessionsWanted,
    replacement: facts.replacement,
    sessions: roster.all.map((held) => describeSession(held, roleOf(held, active, roster))),
  };
}

function roleOf(held: Held, active: Held | undefined, roster: Roster): SessionRole {
  if (held === active) return 'active';
  // An outdated session serves until its replacement is up: only then does it drain.
  return roster.leftSince(held) === undefined ? 'standby' : 'draining';
}

function describeSession({ id, session, facts: credential }: Held, role: SessionRole): SessionStatus {
  const { server, hostKey, kex, cipher } = session.facts;
  return {
    id,
    role,
    since: session.since,
    credential_type: credential.type,
    authenticated_until: credential.validBefore ?? null,
    connections: session.channels,
    rtt_ms: session.rttMs === undefined ? null : Math.round(session.rttMs * 100) / 100,
    server,
    host_key: hostKey,
    kex,
    cipher,
  };
}

/** The fields of a session in a log line. */
export function sessionFields({ id, session, facts: credential }: Held): Readonly<Record<string, unknown>> {
  const { server, hostKey, kex, cipher } = session.facts;
  return { session: id, server, host_key: hostKey, kex, cipher, credential: credential.type };
}
