import type { ErrorCode } from '../../base/errors.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { TunnelStateName } from '../../telemetry/status/status.ts';
import type { TunnelFacts, TunnelState } from './state.ts';

export interface StandingDependencies {
  readonly log: Logger;
  readonly note: TakeNote;
}

/** The last reported state of a tunnel. Reports each change once, to the log and the evidence. */
export class Standing {
  readonly #tunnel: string;
  readonly #deps: StandingDependencies;
  #state: TunnelStateName = 'down';
  #since = new Date();
  #serving = false;
  #listening = false;
  #noted = false;
  /** The code in the last log line. A new reason for the same state is logged too, unless the link logs it. */
  #toldCode: ErrorCode | undefined;

  constructor(tunnel: string, deps: StandingDependencies) {
    this.#tunnel = tunnel;
    this.#deps = deps;
  }

  get state(): TunnelStateName {
    return this.#state;
  }

  get since(): Date {
    return this.#since;
  }

  /** Whether clients are served, as far as known. A link with a fallback credential serves too. */
  get serving(): boolean {
    return this.#serving;
  }

  become(
    { state: to, reason, error }: TunnelState,
    link: Pick<TunnelFacts['link'], 'lastError' | 'fallbackReason'>,
    listening: boolean,
  ): void {
    const from = this.#state;
    if (from !== to) this.#since = new Date();
    const news = from !== to || !(to === 'up' || error?.code === this.#toldCode || error === link.lastError);
    const serving = to === 'up' || (to === 'degraded' && error !== undefined && error === link.fallbackReason);
    const first = !this.#noted;
    if (!news && !first && serving === this.#serving && listening === this.#listening) return;
    this.#listening = listening;
    this.#state = to;
    this.#toldCode = error?.code;
    this.#serving = serving;
    this.#noted = true;
    const told = { reason, code: error?.code ?? null };
    const change = { from: first ? null : from, to, serving, listening };
    this.#deps.note(
      { event: 'tunnel.state', tunnel: this.#tunnel, ...change, ...told },
      from === to && !first ? undefined : this.#since,
    );
    if (!news) return;
    const level = to === 'down' || to === 'degraded' ? 'warn' : 'info';
    const words = from === to ? to : `${from} -> ${to}`;
    this.#deps.log[level](
      { event: 'tunnel.state', from, to, reason, code: error?.code },
      `${words}${reason ? `: ${reason}` : ''}`,
    );
  }
}
