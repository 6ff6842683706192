import type { Status } from '../../src/telemetry/status/status.ts';
import type { DemoCa, Pace } from './coulombcore.ts';
import { type Serving, servingOf, turnBetween } from './serving.ts';

/** What is to be told now. */
export interface Chapter {
  /** Undefined where a line says it all. */
  readonly headline: string | undefined;
  readonly lines: readonly string[];
}

const CA_AFTER_MS = 15_000;

/** The story of the credentials as it happens: the static key, the CA, certificates that take over and rotate. */
export class Story {
  readonly #pace: Pace;
  readonly #ca: DemoCa | undefined;
  readonly #loadText: () => string;
  readonly #caDueMs = performance.now() + CA_AFTER_MS;
  #caIsUp = false;
  #serving: Serving | undefined;
  #rotations = 0;

  /** @param loadText how the requests went so far */
  constructor(pace: Pace, ca: DemoCa | undefined, loadText: () => string) {
    this.#pace = pace;
    this.#ca = ca;
    this.#loadText = loadText;
  }

  /** How many there were, in words; the first certificate is none. */
  get rotations(): string {
    if (this.#ca === undefined) return 'no certificates here';
    return this.#rotations === 1 ? '1 rotation' : `${this.#rotations} rotations`;
  }

  /** What is waited for, for whoever looks at the screen. */
  get waitsFor(): string | undefined {
    if (this.#ca === undefined || this.#serving?.type === 'certificate') return undefined;
    if (this.#caIsUp) return 'the CA is up: the daemon will notice at its next try';
    return `the CA comes up in ${Math.max(0, Math.ceil((this.#caDueMs - performance.now()) / 1_000))} s`;
  }

  /** What `status` has brought. Has the CA come up when it is time. */
  next(status: Status): Chapter | undefined {
    if (this.#ca !== undefined && !this.#caIsUp && performance.now() >= this.#caDueMs) return this.#comeUp(this.#ca);
    const now = servingOf(status);
    const turn = now && turnBetween(this.#serving, now);
    if (now === undefined || turn === undefined) return undefined;
    this.#serving = now;
    switch (turn) {
      case 'static key':
        return this.#ca && this.#standIn(this.#ca);
      case 'first certificate':
        return this.#takeover(now);
      case 'rotation':
        this.#rotations += 1;
        return line(`rotation ${this.#rotations}: ${certificate(now)}; ${this.#loadText()}`);
      case 'other sessions':
        return line(`the sessions are others: now ${now.sessions.join(' and ')}; ${this.#loadText()}`);
    }
  }

  #standIn({ excuse, exception }: DemoCa): Chapter {
    return {
      headline: `${this.#caIsUp ? 'No certificate any more' : '1. No CA yet'}: the static key is used`,
      lines: [
        `cert_command fails ("${excuse}"), so the daemon logs in with the static key: the`,
        `exception "${exception}" of its configuration allows it.`,
        'Requests are served, but both tunnels are DEGRADED and say why, and production must not rely on them:',
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
        `From now on cert_command gets certificates, which live for ${this.#pace.lifeSeconds} s.`,
        'Nobody tells the daemon: its next try finds out (below: RENEWAL).',
      ],
    };
  }

  #takeover(now: Serving): Chapter {
    const everySeconds = Math.round(this.#pace.lifeSeconds * this.#pace.renewAfter);
    return {
      headline: '3. Certificates take over, under load',
      lines: [
        `Sessions ${now.sessions.join(' and ')} have logged in with ${certificate(now)}. Each was`,
        'proven before it took the new connections; the old ones ended with their last.',
        `Both tunnels are UP; ${this.#loadText()}.`,
        `There is another certificate every ${everySeconds} s or so, in the same way: stay as long as you like, and see whether a`,
        'request fails. Rotate by hand (above). Kill the SSH sessions (the command is in the table): that cuts the',
        'requests that are under way on them, and no other.',
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
