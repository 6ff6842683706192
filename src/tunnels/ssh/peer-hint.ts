import type { ErrorCode } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import type { ListenTrouble } from '../channel/far-side.ts';

/** The software of a server, from its identification string (RFC 4253 section 4.2); undefined: unknown. */
function softwareOf(server: string): string | undefined {
  return /^SSH-[^-]*-(\S+)/.exec(printable(server, 255))?.[1];
}

const AGAIN = 'A changed rule applies only to new sessions: then run `fleet-mesh reload`.';

type Hints = { readonly [Code in ErrorCode | ListenTrouble]?: string };

const DROPBEAR: Hints = {
  forward_denied: `Check that dropbear runs without -j, and that authorized_keys has no \`no-port-forwarding\` for the key. ${AGAIN}`,
  remote_listen_denied: `Check that dropbear runs without -k. Without -a dropbear listens on loopback only. ${AGAIN}`,
  kex_failed: "Update dropbear, or build dropbear with one of this node's algorithms.",
  too_narrow: `Start dropbear with -a, or listen on 127.0.0.1 here. ${AGAIN}`,
  too_wide: `Start dropbear without -a, or listen on 0.0.0.0 here. ${AGAIN}`,
  unprovable: `Start dropbear without -j, and remove permitopen= of the key in authorized_keys. ${AGAIN}`,
  ghost: 'Start dropbear with -K 15: the server then ends a dead session within a minute.',
  connection_reset: "dropbear limits the connections without a login. Read dropbear's log on the host.",
};

function hintsFor(software: string): Hints {
  return {
    forward_denied: `Check which targets the server (${software}) allows this user. ${AGAIN}`,
    remote_listen_denied: `Check whether the server (${software}) lets this user listen there, and whether the address is free. ${AGAIN}`,
    too_narrow: `Let the server (${software}) listen on other addresses than loopback, or listen on 127.0.0.1 here. ${AGAIN}`,
    too_wide: `Let the server (${software}) listen on the requested address alone, or listen on 0.0.0.0 here. ${AGAIN}`,
    unprovable: `Let the server (${software}) connect this user to the address of the listener. ${AGAIN}`,
    ghost: `Let the server (${software}) send keepalives: the server then ends dead sessions soon.`,
    kex_failed: `Allow one of this node's algorithms in the configuration of the server (${software}).`,
    connection_reset: `Read the log of the server (${software}): the log shows why the connection ended.`,
  };
}

/** The hint that fits the server. Undefined for OpenSSH and for an unknown server: the usual hints name settings of sshd. */
export function peerHint(server: string, code: ErrorCode | ListenTrouble): string | undefined {
  const software = softwareOf(server);
  if (software === undefined || /openssh/i.test(software)) return undefined;
  return (/^dropbear/i.test(software) ? DROPBEAR : hintsFor(software))[code];
}
