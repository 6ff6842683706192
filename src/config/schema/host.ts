import { z } from 'zod';
import { wants } from '../expectation.ts';
import { duration, hostName, mapping, path, port, text, wholeNumber, word } from './scalars.ts';

const reference = text('the name of a host or an actor', 63);

/** One fleet machine that is reached by SSH. */
export const host = mapping({
  address: hostName.describe('Name or IP address; resolved again at each attempt.'),
  port: port.prefault(22).describe('TCP port of its sshd. Default 22.'),
  user: text('a user name without spaces')
    .regex(/^[^\s@:/-][^\s@:/]*$/, { error: wants('a user name without spaces') })
    .optional()
    .describe('User to log in as; required for a host that a tunnel goes to or that is jumped through.'),
  role: word(['production', 'draining', 'workstation', 'experimental'])
    .optional()
    .describe(
      'Its part in the fleet: production, draining, workstation (looked for, so that its absence can be proven) or experimental.',
    ),
  known_hosts: path
    .prefault('~/.ssh/known_hosts')
    .describe(
      'File of known host keys; fail closed: an unknown or changed key is never accepted. Default ~/.ssh/known_hosts.',
    ),
  sessions: wholeNumber(1, 8)
    .prefault(2)
    .describe('Parallel SSH sessions of a link; the second is a hot standby. Default 2.'),
  keepalive: mapping({
    every: duration(500, 300_000)
      .prefault('5s')
      .describe('Silence after which the peer is asked for a sign of life. Default 5s.'),
    lost_after: wholeNumber(1, 100)
      .prefault(3)
      .describe('Unanswered questions in a row until the session is given up. Default 3.'),
  })
    .prefault({})
    .describe('How a silently dead session is noticed: within every × lost_after, 15 s by default.'),
  connect_timeout: duration(100, 300_000)
    .prefault('10s')
    .describe('Bound of each single step: dial, banner, key exchange, authentication, channel open. Default 10s.'),
  jump: z
    .union(
      [
        reference,
        mapping({
          host: reference.describe('The host to go through.'),
          actor: reference.describe('The identity there.'),
        }),
      ],
      { error: wants('the name of another host, or a mapping { host, actor }') },
    )
    .optional()
    .describe(
      'Another host to reach this one through (ProxyJump): its name, or { host, actor } for another identity there.',
    ),
});
