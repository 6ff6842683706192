import { freePort } from '../../tests/support/peers/loopback.ts';

/** The ports of the demo on loopback. */
export interface DemoPorts {
  readonly stateHub: number;
  readonly issueCore: number;
  readonly endpoint: number;
}

/** The ports of the real railiance01, so that commands are the same. */
export const REAL_PORTS: DemoPorts = { stateHub: 18_000, issueCore: 18_765, endpoint: 9_780 };

/** Free ports, for a machine with a daemon or another demo. */
export async function anyPorts(): Promise<DemoPorts> {
  const [stateHub, issueCore, endpoint] = [await freePort(), await freePort(), await freePort()];
  return { stateHub, issueCore, endpoint };
}
