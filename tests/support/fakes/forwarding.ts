import type { TunnelError } from '../../../src/base/errors.ts';
import { listen } from '../../../src/base/net/listener.ts';
import { Junction } from '../../../src/tunnels/forward/junction.ts';
import { ListenForward, type ListenForwardOptions } from '../../../src/tunnels/forward/local/listen-forward.ts';
import { fixedTarget } from '../../../src/tunnels/forward/local/negotiate.ts';
import { Usage } from '../../../src/tunnels/forward/usage.ts';
import { loopback, SessionSource } from '../clients/ssh-session.ts';
import { freePort } from '../peers/loopback.ts';

/** A listening local forward, with its events and counters. */
export class Forwarding implements AsyncDisposable {
  readonly port: number;
  readonly forward: ListenForward;
  readonly source = new SessionSource();
  readonly junction = new Junction();
  readonly failures: TunnelError[] = [];
  readonly heldSeconds: number[] = [];
  readonly usage = new Usage({ onHeld: (seconds) => this.heldSeconds.push(seconds) });

  private constructor(port: number, options: ListenForwardOptions) {
    this.port = port;
    this.forward = new ListenForward(options, {
      source: this.source,
      usage: this.usage,
      entrance: { listen, junction: this.junction },
      onChange: () => {},
      onOpened: () => {},
      onFailed: (error) => this.failures.push(error),
      onAcceptError: () => {},
    });
  }

  static async to(target: number, options: Partial<ListenForwardOptions> = {}): Promise<Forwarding> {
    const whileDown = { kind: 'hold', holdMs: 5_000, limit: 256, abortOnClose: false } as const;
    const port = await freePort();
    const negotiate = fixedTarget(loopback(target));
    const listen = loopback(port);
    const forwarding = new Forwarding(port, { listen, negotiate, whileDown, maxConnections: 64, ...options });
    await forwarding.forward.start();
    return forwarding;
  }

  get codes(): string[] {
    return this.failures.map(({ code }) => code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forward.stopAccepting();
    this.forward.resetAll();
    await this.forward.whenIdle();
    await this.source[Symbol.asyncDispose]();
  }
}
