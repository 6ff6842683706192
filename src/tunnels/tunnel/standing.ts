import type { ErrorCode } from '../../base/errors.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { TunnelStateName } from '../../telemetry/status/status.ts';
import type { TunnelFacts, TunnelState } from './state.ts';

export interface StandingDependencies {
  readonly log: Logger;
  readonly note: TakeNote;
}

/** What was last told of a tunnel's state, and the telling: each change once, in the log and as evidence. */
export class Standing {
  readonly #tunnel: string;
  readonly #deps: StandingDependencies;
  #state: TunnelStateName = 'down';
  #since = new Date();
  #serving = false;
  #noted = false;
  /** Of the last line about the state: the same state for another reason is news as well, unless the link tells it. */
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

  /** Whether clients were served, as far as is known: also over a link that goes by a stand-in for its credential. */
  get serving(): boolean {
    return this.#serving;
  }

  become({ state: to, reason, error }: TunnelState, link: Pick<TunnelFacts['link'], 'lastError' | 'standIn'>): void {
    const from = this.#state;
    if (from !== to) this.#since = new Date();
    const news = from !== to || !(to === 'up' || error?.code === this.#toldCode || error === link.lastError);
    const serving = to === 'up' || (to === 'degraded' && error !== undefined && error === link.standIn);
    const first = !this.#noted;
    if (!news && !first && serving === this.#serving) return;
    this.#state = to;
    this.#toldCode = error?.code;
    this.#serving = serving;
    this.#noted = true;
    const told = { reason, code: error?.code ?? null };
    const change = { from: first ? null : from, to, serving };
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
