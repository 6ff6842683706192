import { z } from 'zod';
import { type AllowRule, parseRule, RULE_EXPECTED, RULE_PATTERN } from '../allow/rule.ts';
import { describeValue, wants } from '../expectation.ts';
import { drain } from './drain.ts';
import { probe } from './probe.ts';
import { address, duration, flag, mapping, text, wholeNumber, word } from './scalars.ts';

/** One destination that clients of a dynamic tunnel may request. The pattern is only for editors. */
const allowRule = z
  .string({ error: wants(RULE_EXPECTED) })
  .meta({ pattern: RULE_PATTERN.source })
  .transform((written, context): AllowRule => {
    const rule = parseRule(written);
    if (!('fault' in rule)) return rule;
    context.addIssue({
      code: 'custom',
      message: `${describeValue(written)} (${rule.fault}); expected ${RULE_EXPECTED}`,
    });
    return z.NEVER;
  });

/** One named forward over a link. */
export const tunnel = mapping({
  host: text('the name of a host', 63).describe('The SSH host of the tunnel: a name under hosts.'),
  actor: text('the name of an actor', 63).describe('The SSH identity of the tunnel: a name under actors.'),
  direction: word(['local', 'remote', 'dynamic'])
    .prefault('local')
    .describe('local (listens here), remote (listens on the host) or dynamic (SOCKS5, listens here). Default local.'),
  listen: address.describe(
    'Listen address: host:port or unix:/path. On this node for local and dynamic, on the host for remote.',
  ),
  target: address
    .optional()
    .describe(
      'Target address of the connections. Seen from the host for local, from this node for remote. Not for dynamic.',
    ),
  allow: z
    .array(allowRule, { error: wants('a list of destinations') })
    .min(1, { error: wants('at least one destination') })
    .optional()
    .describe(
      'Only for dynamic: the destinations that clients may request. Host: an address, a network (10.43.0.0/16, ' +
        '[fd00::/8]), a name, *.name (all names below) or * (every name). Port: 443, 80-90 or *.',
    ),
  allow_remote: flag
    .prefault(false)
    .describe(
      'Whether a dynamic tunnel may listen on an address other than loopback. Other machines can then use the proxy. Default false.',
    ),
  production: flag
    .prefault(false)
    .describe(
      'Whether production depends on the tunnel. The worst production tunnel sets the state of the node. Default false.',
    ),
  note: text('text of one line', 1_000).optional().describe('Free text, shown in status.'),
  while_down: z
    .union(
      [
        word(['refuse']),
        mapping({
          hold: duration(100, 600_000)
            .prefault('10s')
            .describe('How long a new connection waits for the link before the daemon resets it. Default 10s.'),
          limit: wholeNumber(1, 65_535)
            .prefault(256)
            .describe('Maximum number of waiting connections; further ones are reset at once. Default 256.'),
          abort_on_close: flag
            .prefault(false)
            .describe(
              'Whether a client that closes its side while it waits has gone, as after a timeout of its own. ' +
                'Otherwise such a client may have sent a complete request, and still waits. Default false.',
            ),
        }),
      ],
      { error: wants('refuse, or a mapping { hold, limit, abort_on_close }') },
    )
    .prefault({})
    .describe(
      'Treatment of new connections while the link is down: refuse, or { hold, limit, abort_on_close }. Not for remote. ' +
        'Default { hold: 10s, limit: 256, abort_on_close: false }.',
    ),
  max_connections: wholeNumber(1, 65_535)
    .prefault(1_024)
    .describe('Maximum number of open connections; further ones are reset. Default 1024.'),
  probe: probe.optional().describe('Check of the real target through the tunnel. Default: none.'),
  drain: drain.optional().describe('How the tunnel goes out of service. Default: the tunnel stays.'),
});
