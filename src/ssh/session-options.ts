import type { KeepaliveConfig } from '../config/config.ts';
import type { HandshakeStep } from './handshake.ts';
import type { HostKeyPolicy } from './host-key-policy.ts';
import type { UserAuth } from './user-auth.ts';

/** What a session is opened with. */
export interface SessionOptions {
  /** As shown in errors, e.g. `coulombcore (192.0.2.1) port 22`. */
  readonly peer: string;
  readonly username: string;
  /** What is offered, as shown in errors; nothing secret. */
  readonly credential: string;
  /** What would help when the server rejects it; undefined where the usual is right. */
  readonly ifRejected?: string | undefined;
  /** Exactly what is offered, in order; nothing else ever is. */
  readonly authMethods: UserAuth;
  readonly hostKey: HostKeyPolicy;
  /** Bound of each step: banner, key exchange, authentication, channel open; in milliseconds. */
  readonly stepTimeoutMs: number;
  readonly keepalive: KeepaliveConfig;
  /** A step begins. */
  readonly onStep?: ((step: HandshakeStep) => void) | undefined;
}
