import { z } from 'zod';
import { wants } from '../expectation.ts';
import { probe } from './probe.ts';
import { address, duration, mapping, text } from './scalars.ts';

const DAY_MS = 86_400_000;

/** The way of a tunnel out of service. */
export const drain = mapping({
  step: text('a step id such as "2.4"').describe('Step of the plan that retires this tunnel, quoted: "2.4".'),
  quiet_for: duration(1_000, 365 * DAY_MS)
    .prefault('24h')
    .describe('How long nobody may have used the tunnel before it can be retired. Default 24h.'),
  rollback: text('the command or the words of the way back', 1_000)
    .optional()
    .describe('The way back, written down: a tunnel without one is never retirable.'),
  successor: mapping({
    target: address.describe('Where the service is now: host:port or unix:/path on this node.'),
    probe: probe.describe('Check of the successor, written like the probe of a tunnel.'),
    healthy_for: duration(1_000, 365 * DAY_MS)
      .prefault('1h')
      .describe('How long its probe must have passed without a break. Default 1h.'),
    compare: z
      .array(
        mapping({
          path: text('a path that begins with "/"', 2_048)
            .regex(/^\/[\x21-\x7e]*$/, { error: wants('a path that begins with "/", without spaces') })
            .describe('Path of a GET request to both sides.'),
          fields: z
            .array(text('the name of a field'), { error: wants('a list of field names') })
            .min(1, { error: wants('at least one field name') })
            .describe('Fields of the JSON answers that must be equal.'),
        }),
        { error: wants('a list of { path, fields }') },
      )
      .default([])
      .describe('What must be equal on both sides before a cut-over. Default: nothing.'),
    hold: duration(100, 300_000)
      .prefault('5s')
      .describe('Longest pause of new connections during the switch. Default 5s.'),
    verify_for: duration(1_000, DAY_MS)
      .prefault('30s')
      .describe('Afterwards: a failing probe in this time rolls back by itself. Default 30s.'),
  })
    .optional()
    .describe('The place that serves the local port once the tunnel is gone.'),
});
