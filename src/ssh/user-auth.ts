import ssh2, { type AnyAuthMethod, type ParsedKey } from 'ssh2';

/**
 * The list for ssh2's `authHandler` (RFC 4252 section 7, "publickey"). ssh2 tries exactly what is listed, so there is no
 * `none` request first and never a fallback to something else.
 */
export type UserAuth = [AnyAuthMethod];

export function publicKeyAuth(username: string, key: ParsedKey): UserAuth {
  return [{ type: 'publickey', username, key }];
}

/** Each identity that the agent holds, in the agent's order, until one is accepted. `socket`: the agent's Unix socket. */
export function agentAuth(username: string, socket: string): UserAuth {
  return [{ type: 'agent', username, agent: ssh2.createAgent(socket) }];
}
