import { freePort } from '../../tests/support/peers/loopback.ts';

/** Where the demo listens on loopback. */
export interface DemoPorts {
  readonly stateHub: number;
  readonly issueCore: number;
  readonly endpoint: number;
}

/** Those of the real railiance01: what is tried here is what will be typed there. */
export const REAL_PORTS: DemoPorts = { stateHub: 18_000, issueCore: 18_765, endpoint: 9_780 };

/** Others, that nobody has: beside a real daemon or another demo. */
export async function anyPorts(): Promise<DemoPorts> {
  const [stateHub, issueCore, endpoint] = [await freePort(), await freePort(), await freePort()];
  return { stateHub, issueCore, endpoint };
}
