/** A test that proves a case: a row of the matrix, or the title of a test as it is written in its file. */
export type Proof = { readonly row: string } | { readonly file: string; readonly title: string };

/** A fault that the program once got wrong, and the right behaviour. */
export interface FaultCase {
  readonly fault: string;
  readonly right: string;
  /** At least one. */
  readonly proofs: readonly Proof[];
}

const row = (title: string): Proof => ({ row: title });
/** @param file below tests/, without its ending */
const test = (file: string, title: string): Proof => ({ file: `tests/${file}.test.ts`, title });

/** Sessions that were given up too early, or shown as healthy without a way to replace them. */
export const LINK_CASES: readonly FaultCase[] = [
  {
    fault: 'the resolver of the host never answers, and a client asks for a name',
    right:
      'No session is given up. The open goes to no other session, and other tunnels serve new connections at once.',
    proofs: [
      test(
        'interop/tunnels/link/frozen-resolver',
        'loses no session while one name freezes it, and serves other tunnels at once',
      ),
      test(
        'interop/tunnels/link/frozen-resolver',
        'lets many names freeze one session at most, and tells each client in bounded time',
      ),
      test(
        'interop/tunnels/link/frozen-resolver',
        'does not carry the name of a local tunnel to the other session, for any number of clients',
      ),
    ],
  },
  {
    fault: 'the network is away for less than 15 s, and new clients come meanwhile',
    right: 'Open connections survive. The session is suspect, and new connections avoid it.',
    proofs: [
      row('no network for 6 s with the default keepalive, and new clients meanwhile'),
      row('no network for 11 s with the default keepalive, and new clients meanwhile'),
      row('no network for 13 s with the default keepalive, and new clients meanwhile'),
      row('all packets are dropped for 11 s with the default keepalive, and new clients meanwhile'),
    ],
  },
  {
    fault: 'the target is slow to accept while the session answers',
    right: 'The target gets one connection for each client.',
    proofs: [
      row('the target is slow to accept'),
      test('interop/tunnels/link/slow-target', 'is asked once for each client while the session answers (%s)'),
    ],
  },
  {
    fault: 'the sessions are killed every 2 s to 5 s, and no client waits',
    right: 'A host that lets us in is never waited for longer than 5 s. The backoff grows with failed attempts only.',
    proofs: [
      row('the sessions are lost every 2 s for 16 s, while_down: refuse'),
      test(
        'unit/tunnels/link/backoff',
        'never waits longer than 5 s for a host that lets us in, and never longer than a second within its first minute',
      ),
    ],
  },
  {
    fault: 'lost sessions cannot be replaced: wrong key, user, host key, port or certificate',
    right:
      'The tunnels stay up and the node is degraded, with an advisory, a metric and a line in the log. `reload` and `rotate` fail.',
    proofs: [
      row('the standby is lost while the server no longer accepts the key'),
      row('the standby is lost after the host key has changed'),
      row('the standby is lost while the name leads to a dead address'),
      row('the active session is lost while nothing listens on the SSH port'),
      row('a reload to a port where nothing listens, and back'),
      test('interop/tunnels/link/replacement', 'tells the truth after a reload with %s, and `reload` fails'),
      test(
        'interop/tunnels/link/replacement',
        'tells the truth when a key file disappears, and heals when the file is back',
      ),
    ],
  },
  {
    fault: 'known_hosts gets another key of the host while all sessions are up',
    right: 'The node is degraded within seconds, and `reload` fails. No session ends.',
    proofs: [
      test(
        'interop/tunnels/link/replacement',
        'tells the truth soon after known_hosts has another key of the host, `reload` fails, and the link heals',
      ),
    ],
  },
  {
    fault: 'the certificate has expired, and its renewal fails',
    right: 'With `on_expiry: keep` the sessions serve. The node is degraded, because the next login would fail.',
    proofs: [
      test('interop/tunnels/credential/rotation', 'keeps the old certificate while %s, and uses the next good one'),
      test('interop/tunnels/credential/rotation', 'handles a session with an expired certificate: on_expiry %s'),
    ],
  },
  {
    fault: 'the server rejects a login while the sessions are silent, and then the sessions answer again',
    right: 'The node is degraded, with the reason of the rejection.',
    proofs: [
      test('unit/tunnels/link/login-test', 'tells that its next login fails, if the server has rejected the login'),
    ],
  },
  {
    fault: 'sshd begins to forbid forwards, which only new sessions feel, and then one session is lost',
    right: 'The new session does not count. The node is degraded as long as the old session serves.',
    proofs: [
      row('sshd begins to forbid forwards to new sessions, and the standby is lost'),
      test(
        'unit/tunnels/link/login-test',
        'does not count if the server forbids the channels that it grants to the serving session',
      ),
    ],
  },
  {
    fault: 'sshd binds a remote listener narrower or wider than requested (`GatewayPorts`), also with IPv6 and names',
    right: 'The tunnel is down, or unverified where the server forbids the check.',
    proofs: [
      test('interop/tunnels/forward/remote-width', 'is judged as requested under GatewayPorts %s'),
      test(
        'interop/tunnels/forward/remote-width',
        'stays unverified while the server forbids the connection that proves the width',
      ),
    ],
  },
  {
    fault: 'the clock of the node is wrong when a command on the node makes a certificate',
    right: 'A new certificate within seconds after the clock is right.',
    proofs: [
      test(
        'interop/tunnels/credential/clocks',
        'is renewed within seconds after the clock, two hours %s, is set right',
      ),
      test(
        'interop/tunnels/credential/clocks',
        'renews a certificate that is not valid yet, tells so, and loses no request',
      ),
    ],
  },
  {
    fault: 'the clock jumps while sessions are up',
    right: 'No session, request or connection is lost.',
    proofs: [row('the clock jumps a day ahead'), row('the clock jumps a day back')],
  },
  {
    fault: 'the server rejects a renewed certificate',
    right: 'The standby stays a standby, and the rotation fails with the reason.',
    proofs: [
      test(
        'interop/tunnels/link/replacement',
        'keeps the standby a standby when the server rejects the renewed certificate, and `rotate` fails',
      ),
    ],
  },
  {
    fault: 'the machine of a client or of a target vanishes without a word',
    right: 'The kernel asks for a sign of life (SO_KEEPALIVE) on accepted sockets and on sockets to targets.',
    proofs: [
      test('interop/tunnels/forward/keepalive', 'on the sockets of local, dynamic and remote tunnels'),
      test('interop/tunnels/forward/keepalive', 'on the socket to a successor'),
    ],
  },
  {
    fault: 'clients give up while they are held, some after data',
    right:
      'A reset is noticed at once and frees the place. A close is noticed with `abort_on_close`. Neither request reaches the target.',
    proofs: [
      test(
        'integration/tunnels/forward/local/waiting',
        'is noticed after a reset behind %i bytes, frees its slot, and never reaches the target',
      ),
      test(
        'integration/tunnels/forward/local/waiting',
        'is noticed after a close behind %i bytes with abort_on_close, and never reaches the target',
      ),
    ],
  },
  {
    fault: 'six links reconnect with 20,000 hashed lines in known_hosts, or a reload reads 10,000 lines',
    right: 'A request of another tunnel is served meanwhile without a wait.',
    proofs: [
      test(
        'interop/tunnels/link/loop-lag',
        'serves an untouched tunnel while six links search 20,000 hashed lines of known_hosts',
      ),
      test(
        'interop/tunnels/link/loop-lag',
        'serves an untouched tunnel while a reload reads 10,000 lines of YAML and of plan, and opens an encrypted key',
      ),
    ],
  },
  {
    fault: 'an operator takes a production tunnel down',
    right: 'The node stays up. The headline and the advisory `production_stopped` name the tunnel.',
    proofs: [
      test('interop/tunnels/link/replacement', 'is named in the headline and in an advisory, and leaves the node up'),
    ],
  },
  {
    fault: 'one IPv6 address is spelt in two ways, in the YAML and in known_hosts',
    right: 'Both are the same host.',
    proofs: [test('unit/tunnels/ssh/host-key/host-pattern', 'decides for the field %s and the name %s: %s')],
  },
];

/** Commands, files and the doors of the daemon. */
export const DOOR_CASES: readonly FaultCase[] = [
  {
    fault: 'the YAML on disk is broken, and the endpoint is not the default one',
    right: 'Commands find the running daemon by its record in the runtime or state directory.',
    proofs: [test('interop/daemon/finding-the-daemon', 'find the daemon by the record in %s')],
  },
  {
    fault: '`wait` without a production tunnel; `up` of a tunnel that does not come up',
    right: '`wait` says that there is nothing to wait for (exit code 3). `up` waits for the outcome.',
    proofs: [
      test('interop/operator/up-and-wait', 'ends `wait` with 3 if there is nothing to wait for'),
      test('interop/operator/up-and-wait', 'waits in `up` until the tunnel is up, or reports why it is not'),
    ],
  },
  {
    fault: 'hundreds of idle or half-sent requests at the endpoint',
    right: 'Short requests are answered. The oldest idle connections make room.',
    proofs: [
      test('interop/daemon/crowded-doors', 'answers short requests beside 300 connections that are kept alive'),
      test('interop/daemon/crowded-doors', 'answers short requests beside 600 half-sent requests'),
    ],
  },
  {
    fault: '2,000 connections to the control socket',
    right: 'Commands are carried out.',
    proofs: [
      test('interop/daemon/crowded-doors', 'carries out commands beside 2,000 connections to the control socket'),
    ],
  },
  {
    fault: 'a tunnel listens beyond loopback',
    right: '`check` and an advisory warn. A dynamic tunnel needs `allow_remote: true`.',
    proofs: [
      test(
        'interop/daemon/exposed-listeners',
        'are warned of by `check` and by an advisory, and a dynamic one needs allow_remote',
      ),
    ],
  },
  {
    fault: 'others can read a key, or known_hosts lacks the host',
    right: '`check` warns.',
    proofs: [
      test('interop/operator/cli', 'warns about a key that others can read, and a known_hosts without the host'),
    ],
  },
  {
    fault: 'the host is misspelt, its port is wrong, or the listen port is taken',
    right: '`doctor` looks at DNS, TCP and the banner first, and names the process that holds the port.',
    proofs: [
      test('interop/machine/doctor', 'looks at the network before the key file and known_hosts, and names the setting'),
      test('interop/machine/doctor', 'names the process that holds the listen port'),
    ],
  },
  {
    fault: 'a line of the YAML has a wrong indentation',
    right: 'One message, with the line and a caret.',
    proofs: [
      test(
        'interop/daemon/start',
        'shows the line of a wrong indentation with a caret, in `run`, `check`, `doctor` and a reload',
      ),
    ],
  },
  {
    fault: 'no runtime directory exists, or the directory of the control socket is unusable',
    right: 'The control socket is in the state directory. A failure is logged without a stack.',
    proofs: [
      test(
        'interop/daemon/finding-the-daemon',
        'opens its control socket in the state directory, where commands find the socket',
      ),
      test('interop/daemon/finding-the-daemon', 'logs an unusable socket directory without a stack'),
    ],
  },
  {
    fault: 'names of others contain invisible characters, such as U+202E',
    right: 'The characters are shown escaped.',
    proofs: [test('interop/operator/hostile-names', 'are escaped in every text, and escaped as JSON in every JSON')],
  },
  {
    fault: '`cert_command` starts a process in a session of its own, and times out',
    right: 'That process ends too.',
    proofs: [test('interop/tunnels/credential/cert-command', 'rejects with cert_command_timeout when the command %s')],
  },
];
