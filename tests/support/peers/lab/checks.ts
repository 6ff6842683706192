/** What the tests try with each server of the lab, in their order. The text is a row of docs/servers.md. */
export const CHECKS = {
  local: 'Local tunnel: 100 MB each way at once, compared by SHA-256',
  dynamic: 'Dynamic tunnel: a client of SOCKS5',
  remote: 'Remote tunnel: a proven listener, 5 MB each way',
  halfClose: 'Half-close: either side may end first, and the other goes on',
  reset: 'Reset: a cut of one side ends the other side',
  refused: 'Refused target: `target_refused` in `/status`',
  idle: 'Idle for a minute: a silent connection and both sessions outlive many keepalives',
  cut: 'Sessions cut: all tunnels serve again',
  killed: 'Server killed and started: all tunnels serve again',
  rebind: 'Remote address moved by a reload, and back: the server releases each one',
  ourRekey: 'New keys by our side under load',
  theirRekey: 'New keys by the server under load',
} as const;

export type Check = keyof typeof CHECKS;
