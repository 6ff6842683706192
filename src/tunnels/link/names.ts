import { isIP } from 'node:net';
import type { Signal } from '../../base/async/signal.ts';
import { Waiters } from '../../base/async/waiters.ts';

/** Of so many hosts the last answer is remembered: a dynamic tunnel may ask for any number. */
const MOST_REMEMBERED = 1_000;

/** So many opens to proven hosts may be on their way. If their resolver stops, they freeze one session in turn. */
const MOST_PROVEN = 16;

/** The turn of one open. Call `passed` once, when the server goes on after the open, or the open was never sent. */
export interface Turn {
  /** Whether the server has found the host quickly before. */
  readonly proven: boolean;
  passed(quick: boolean): void;
}

/**
 * Lets opens that may freeze a session take turns. sshd resolves a name before it handles the next packet: while its
 * resolver hangs, the whole session stands still. So of all hosts that never answered quickly, one open at a time is on its
 * way, and none while a session is frozen. The other sessions stay free for hosts that are proven.
 */
export class Names {
  /** Hosts that freeze a session now. */
  readonly #frozen: () => readonly string[];
  /** Oldest first. */
  readonly #proven = new Set<string>();
  readonly #convicted = new Set<string>();
  readonly #onTheWay = new Map<string, number>();
  readonly #waiting = new Waiters();

  constructor(frozen: () => readonly string[]) {
    this.#frozen = frozen;
  }

  /** Whether an open to the host may freeze a session: the host is a name, or has frozen a session before. */
  mayFreeze(host: string): boolean {
    this.#convict();
    return isIP(host) === 0 || this.#convicted.has(host);
  }

  /** Whether an open to the host may be repeated on another session: not if this would put that session at risk. */
  mayRepeat(host: string): boolean {
    return !this.mayFreeze(host) || this.#proven.has(host) || this.#frozen().length === 0;
  }

  /** Waits for the turn of an open to the host. Rejects with the signal's reason. */
  async enter(host: string, signal: Signal): Promise<Turn> {
    while (!this.#isFree(host)) await this.#waiting.wait(signal);
    return this.begin(host);
  }

  /** Takes a turn at once. */
  begin(host: string): Turn {
    this.#onTheWay.set(host, (this.#onTheWay.get(host) ?? 0) + 1);
    return { proven: this.#proven.has(host), passed: (quick) => this.#passed(host, quick) };
  }

  #isFree(host: string): boolean {
    this.#convict();
    const under = [...this.#onTheWay];
    if (!this.#proven.has(host)) return this.#frozen().length === 0 && under.every(([each]) => this.#proven.has(each));
    const proven = under.filter(([each]) => this.#proven.has(each));
    return proven.reduce((sum, [, count]) => sum + count, 0) < MOST_PROVEN;
  }

  #passed(host: string, quick: boolean): void {
    const left = (this.#onTheWay.get(host) ?? 1) - 1;
    if (left > 0) this.#onTheWay.set(host, left);
    else this.#onTheWay.delete(host);
    if (quick) {
      this.#convicted.delete(host);
      remember(this.#proven, host);
    }
    this.#waiting.wake();
  }

  #convict(): void {
    for (const host of this.#frozen()) {
      this.#proven.delete(host);
      remember(this.#convicted, host);
    }
  }
}

function remember(hosts: Set<string>, host: string): void {
  hosts.delete(host);
  hosts.add(host);
  if (hosts.size <= MOST_REMEMBERED) return;
  for (const oldest of hosts) {
    hosts.delete(oldest);
    return;
  }
}
