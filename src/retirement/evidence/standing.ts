import type { TunnelPlace } from '../../tunnels/tunnel/sameness.ts';
import type { EvidenceEvent } from './events.ts';

/** A retirement, as the evidence tells it. */
export interface ProvenRetirement {
  readonly at: Date;
  /** Whether the local port stays with the successor; undefined if the evidence does not say so. */
  readonly keepsPort: boolean | undefined;
  readonly overrides: readonly { readonly code: string; readonly reason: string }[];
  /** The retired tunnel; undefined if the evidence does not say so. */
  readonly place?: TunnelPlace | undefined;
}

/** A committed cut-over, as the evidence tells it. */
export interface ProvenCutover {
  readonly at: Date;
  readonly successor: string | null;
}

/**
 * Which tunnels are retired or cut over as of the last event, whatever the state files say: a file that is removed while no
 * daemon runs takes nothing away from the evidence.
 */
export class Standing {
  readonly retired = new Map<string, ProvenRetirement>();
  readonly cutOver = new Map<string, ProvenCutover>();
  /** Tunnels whose retirement, or its end, is among the lines that were read. */
  readonly #told = new Set<string>();
  #machine: string | undefined;

  record(event: EvidenceEvent | undefined, at: Date): void {
    switch (event?.event) {
      case 'daemon.started':
        this.runsOn(event.machine ?? undefined);
        return;
      case 'tunnel.retired':
        this.#told.add(event.tunnel);
        this.retired.set(event.tunnel, {
          at,
          keepsPort: event.keeps_port,
          overrides: event.overridden,
          place: event.place,
        });
        return;
      case 'heartbeat':
        // The event itself may be older than the oldest line that is read. Right after `up`, a heartbeat still says so too.
        for (const [tunnel, { state }] of Object.entries(event.tunnels))
          if (state === 'retired' && !this.retired.has(tunnel) && !this.#told.has(tunnel))
            this.retired.set(tunnel, { at, keepsPort: undefined, overrides: [] });
        return;
      case 'operator.up':
        for (const tunnel of event.tunnels) this.#inService(tunnel);
        return;
      case 'cutover.phase':
      case 'cutover.resumed':
        if (event.to === 'committed') this.cutOver.set(event.tunnel, { at, successor: event.successor });
        // A new attempt that is blocked changes nothing.
        else if (event.to === 'rolling_back' || event.to === 'rolled_back') this.cutOver.delete(event.tunnel);
        return;
      case 'retirement.ended':
        this.#inService(event.tunnel);
        return;
      case 'cutover.forgotten':
        this.cutOver.delete(event.tunnel);
        return;
      case 'tunnel.removed':
        this.#inService(event.tunnel);
        this.cutOver.delete(event.tunnel);
        return;
      default:
    }
  }

  /** A daemon runs on this machine: the lines of another machine say nothing about it. Undefined if unknown. */
  runsOn(machine: string | undefined): void {
    if (machine !== undefined && this.#machine !== undefined && machine !== this.#machine) {
      this.retired.clear();
      this.cutOver.clear();
      this.#told.clear();
    }
    this.#machine = machine ?? this.#machine;
  }

  #inService(tunnel: string): void {
    this.#told.add(tunnel);
    this.retired.delete(tunnel);
  }
}
