import { z } from 'zod';
import { wants } from '../expectation.ts';
import { duration, hostName, mapping, path, port, tcpAddress, text, wholeNumber, word } from './scalars.ts';

const reference = text('the name of a host or an actor', 63);

/** One machine of the fleet, reached over SSH. */
export const host = mapping({
  address: hostName.describe('Name or IP address. A name is resolved at each attempt.'),
  port: port.prefault(22).describe('TCP port of sshd. Default 22.'),
  user: text('a user name without spaces')
    .regex(/^[^\s@:/-][^\s@:/]*$/, { error: wants('a user name without spaces') })
    .optional()
    .describe('Login user; required if a tunnel or a jump uses the host.'),
  role: word(['production', 'draining', 'workstation', 'experimental'])
    .optional()
    .describe(
      'Role in the fleet: production, draining, workstation (its absence is observed for the acceptance) or experimental.',
    ),
  known_hosts: path
    .prefault('~/.ssh/known_hosts')
    .describe('File of known host keys. An unknown or changed key is never accepted. Default ~/.ssh/known_hosts.'),
  sessions: wholeNumber(1, 8)
    .prefault(2)
    .describe('Parallel SSH sessions of a link; the second session is a hot standby. Default 2.'),
  keepalive: mapping({
    every: duration(500, 300_000)
      .prefault('5s')
      .describe(
        'Interval between two keepalive requests; an idle session in use is asked within a fifth of it. Default 5s.',
      ),
    lost_after: wholeNumber(1, 100)
      .prefault(3)
      .describe('Silent intervals in a row until the session is closed. Default 3.'),
  })
    .prefault({})
    .describe('Ends a session after every × lost_after of silence: 15 s by default. Less silence ends nothing.'),
  connect_timeout: duration(100, 300_000)
    .prefault('10s')
    .describe('Time limit of each step: dial, banner, key exchange, authentication, channel open. Default 10s.'),
  jump: z
    .union(
      [
        reference,
        mapping({
          host: reference.describe('The jump host.'),
          actor: reference.describe('The actor on the jump host.'),
        }),
      ],
      { error: wants('the name of another host, or a mapping { host, actor }') },
    )
    .optional()
    .describe('Jump host (ProxyJump): a host name, or { host, actor } to log in there as another actor.'),
  endpoint: z
    .union([word(['none']), tcpAddress], {
      error: wants('none, or host:port as in 127.0.0.1:9780'),
    })
    .optional()
    .describe(
      "Address of the host's own fleet-mesh daemon, as seen from the host, for `fleet-mesh fleet`. " +
        'none: the host is never asked. Default 127.0.0.1:9780.',
    ),
});
