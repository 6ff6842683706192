import { setTimeout as pause } from 'node:timers/promises';
import { verdictAnswer } from '../../src/retirement/drain/answer.ts';
import { httpGet } from '../../tests/support/clients/http-get.ts';
import type { Daemon } from '../../tests/support/daemon/daemon.ts';
import { HUB, QUIET_MS, type Stage } from './stage.ts';

/** Between two looks, and between two clients, in milliseconds. */
const EVERY_MS = 60;
/** A client gives up after this time, in milliseconds. */
const PATIENCE_MS = 3_000;
/** A use is dated to the second, and the look itself takes its time. In milliseconds. */
const LATE_MS = 1_200;

/** A client of the tunnel, and somebody who watches the verdict: what must not be seen is in `wrong`. */
export class Observer {
  readonly wrong: string[] = [];
  readonly #stage: Stage;
  /** When the service behind the tunnel last answered a client, by performance.now(). */
  #throughTunnelAt = Number.NEGATIVE_INFINITY;
  /** Looks that found the tunnel retirable. */
  retirable = 0;
  served = 0;
  /** At the last look. */
  isRetirable = false;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Watches one run of the daemon, which began at `bornAt` by performance.now(), until `stop` aborts. */
  async watch(daemon: Daemon, bornAt: number, stop: AbortSignal): Promise<void> {
    this.isRetirable = false;
    await Promise.all([this.#use(stop), this.#look(daemon, bornAt, stop)]);
  }

  async #use(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const body = await this.ask();
      if (body !== undefined) this.served++;
      if (body === 'old') this.#throughTunnelAt = performance.now();
      await pause(EVERY_MS, undefined, { signal: stop }).catch(() => {});
    }
  }

  /** The name of the service that answers on the port of the tunnel; undefined without an answer. */
  async ask(timeoutMs = PATIENCE_MS): Promise<string | undefined> {
    try {
      const { body } = await httpGet(`http://127.0.0.1:${this.#stage.port}/who`, { timeoutMs });
      return (JSON.parse(body) as { hub?: string }).hub;
    } catch {
      return undefined;
    }
  }

  async #look(daemon: Daemon, bornAt: number, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const at = performance.now();
      // Before the question: a use meanwhile may have come after the verdict.
      const usedAt = this.#throughTunnelAt;
      const answer = await daemon.get(`/drain/${HUB}`).catch(() => undefined);
      const parsed = answer && verdictAnswer.safeParse(JSON.parse(answer.body));
      this.isRetirable = parsed?.success === true && parsed.data.verdict === 'retirable';
      if (this.isRetirable) this.#judge(at - bornAt, at - usedAt);
      await pause(EVERY_MS, undefined, { signal: stop }).catch(() => {});
    }
  }

  /** What is true before the answer can only have become truer since. */
  #judge(runsForMs: number, unusedForMs: number): void {
    this.retirable++;
    if (runsForMs < QUIET_MS - LATE_MS) this.wrong.push(`retirable ${Math.round(runsForMs)} ms after the start`);
    if (unusedForMs < QUIET_MS - LATE_MS) this.wrong.push(`retirable ${Math.round(unusedForMs)} ms after a use`);
  }
}
