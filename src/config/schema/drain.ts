import { z } from 'zod';
import { wants } from '../expectation.ts';
import { probe } from './probe.ts';
import { address, duration, mapping, text } from './scalars.ts';

const DAY_MS = 86_400_000;

/** How a tunnel goes out of service. */
export const drain = mapping({
  step: text('a step id such as "2.4"').describe('The plan step that retires this tunnel, in quotes: "2.4".'),
  quiet_for: duration(1_000, 365 * DAY_MS)
    .prefault('24h')
    .describe('Time without use before the tunnel can be retired. Default 24h.'),
  rollback: text('the rollback procedure, as a command or as text', 1_000)
    .optional()
    .describe('The rollback procedure, as a command or as text. A tunnel without one is never retirable.'),
  successor: mapping({
    target: address.describe('Address of the successor: host:port or unix:/path, seen from this node.'),
    probe: probe.describe('Check of the successor, with the keys of a tunnel probe.'),
    healthy_for: duration(1_000, 365 * DAY_MS)
      .prefault('1h')
      .describe('How long the probe must pass without a failure. Default 1h.'),
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
      .describe('Answers that must be equal on both sides before a cut-over. Default: none.'),
    hold: duration(100, 300_000)
      .prefault('5s')
      .describe('Longest pause of new connections during the switch. Default 5s.'),
    verify_for: duration(1_000, DAY_MS)
      .prefault('30s')
      .describe('Time after the switch in which a failing probe rolls back automatically. Default 30s.'),
  })
    .optional()
    .describe('The service for the local port after the tunnel is retired.'),
});
