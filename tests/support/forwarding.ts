import type { TunnelError } from '../../src/errors.ts';
import { LocalForward, type LocalForwardOptions } from '../../src/forward/local.ts';
import { Usage } from '../../src/forward/usage.ts';
import { freePort } from './loopback.ts';
import { loopback, never, SessionSource } from './ssh-session.ts';

/** A local forward that listens, with what it told and counted. */
export class Forwarding implements AsyncDisposable {
  readonly port: number;
  readonly forward: LocalForward;
  readonly source = new SessionSource();
  readonly usage = new Usage();
  readonly failures: TunnelError[] = [];
  readonly heldSeconds: number[] = [];

  private constructor(port: number, options: LocalForwardOptions) {
    this.port = port;
    this.forward = new LocalForward(options, {
      source: this.source,
      usage: this.usage,
      onOpened: () => {},
      onFailed: (error) => this.failures.push(error),
      onHeld: (seconds) => this.heldSeconds.push(seconds),
      onAcceptError: () => {},
    });
  }

  static async to(target: number, options: Partial<LocalForwardOptions> = {}): Promise<Forwarding> {
    const whileDown = { kind: 'hold', holdMs: 5_000, limit: 256 } as const;
    const port = await freePort();
    const forwarding = new Forwarding(port, { target: loopback(target), whileDown, maxConnections: 64, ...options });
    await forwarding.forward.listen(loopback(port), never);
    return forwarding;
  }

  get codes(): string[] {
    return this.failures.map(({ code }) => code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forward.stopListening();
    this.forward.resetAll();
    await this.forward.whenIdle();
    await this.source[Symbol.asyncDispose]();
  }
}
