import type { Status } from '../../src/telemetry/status/status.ts';
import type { DemoCa, Pace } from './coulombcore.ts';
import { type Serving, servingOf, turnBetween } from './serving.ts';

/** The text about one change. */
export interface Chapter {
  /** Undefined: the lines are enough. */
  readonly headline: string | undefined;
  readonly lines: readonly string[];
}

const CA_AFTER_MS = 15_000;

/** Explains the credentials while they change: static key, CA, first certificates, rotations. */
export class Story {
  readonly #pace: Pace;
  readonly #ca: DemoCa | undefined;
  readonly #loadText: () => string;
  readonly #caDueMs = performance.now() + CA_AFTER_MS;
  #caIsUp = false;
  #serving: Serving | undefined;
  #rotations = 0;

  /** @param loadText the counts of requests so far */
  constructor(pace: Pace, ca: DemoCa | undefined, loadText: () => string) {
    this.#pace = pace;
    this.#ca = ca;
    this.#loadText = loadText;
  }

  /** The number of rotations, in words; the first certificate does not count. */
  get rotations(): string {
    if (this.#ca === undefined) return 'no certificates';
    return this.#rotations === 1 ? '1 rotation' : `${this.#rotations} rotations`;
  }

  /** The next expected change, for the reader. */
  get waitsFor(): string | undefined {
    if (this.#ca === undefined || this.#serving?.type === 'certificate') return undefined;
    if (this.#caIsUp) return 'the CA is up: the next try of the daemon gets a certificate';
    return `the CA comes up in ${Math.max(0, Math.ceil((this.#caDueMs - performance.now()) / 1_000))} s`;
  }

  /** The change in `status`, if any. Starts the CA when it is due. */
  next(status: Status): Chapter | undefined {
    if (this.#ca !== undefined && !this.#caIsUp && performance.now() >= this.#caDueMs) return this.#comeUp(this.#ca);
    const now = servingOf(status);
    const turn = now && turnBetween(this.#serving, now);
    if (now === undefined || turn === undefined) return undefined;
    this.#serving = now;
    switch (turn) {
      case 'static key':
        return this.#ca && this.#fallback(this.#ca);
      case 'first certificate':
        return this.#takeover(now);
      case 'rotation':
        this.#rotations += 1;
        return line(`rotation ${this.#rotations}: ${certificate(now)}; ${this.#loadText()}`);
      case 'other sessions':
        return line(`new sessions: ${now.sessions.join(' and ')}; ${this.#loadText()}`);
    }
  }

  #fallback({ excuse, exception }: DemoCa): Chapter {
    return {
      headline: `${this.#caIsUp ? 'The certificate is lost' : '1. No CA yet'}: the static key is used`,
      lines: [
        `cert_command fails ("${excuse}"), so the daemon logs in with the static key: the`,
        `exception "${exception}" of its configuration allows it.`,
        'Requests are served, but both tunnels are DEGRADED with a reason. Production must not rely on them:',
        '/readyz?production=true is 503.',
      ],
    };
  }

  #comeUp(ca: DemoCa): Chapter {
    this.#caIsUp = true;
    ca.comeUp();
    return {
      headline: '2. The CA comes up',
      lines: [
        `cert_command now gets certificates. They are valid for ${this.#pace.lifeSeconds} s.`,
        'The next try of the daemon gets the first one (see RENEWAL below).',
      ],
    };
  }

  #takeover(now: Serving): Chapter {
    const everySeconds = Math.round(this.#pace.lifeSeconds * this.#pace.renewAfter);
    return {
      headline: '3. Certificates replace the static key, under load',
      lines: [
        `Sessions ${now.sessions.join(' and ')} use ${certificate(now)}. Each was`,
        'verified before it got new connections. Each old session ended with its last connection.',
        `Both tunnels are UP; ${this.#loadText()}.`,
        `A new certificate comes about every ${everySeconds} s. Watch whether a request fails.`,
        'Rotate by hand (command above), or kill the SSH sessions (command below the table). A kill cuts only',
        'requests in flight on these sessions.',
      ],
    };
  }
}

function line(text: string): Chapter {
  return { headline: undefined, lines: [`${new Date().toLocaleTimeString('en-GB')}  ${text}`] };
}

function certificate({ serial, validBefore }: Serving): string {
  const until = validBefore === null ? 'for ever' : `until ${new Date(validBefore).toLocaleTimeString('en-GB')}`;
  return `certificate ${serial}, valid ${until}`;
}
