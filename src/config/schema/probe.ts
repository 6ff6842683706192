import type { z } from 'zod';
import { wants } from '../expectation.ts';
import { duration, json, mapping, text, wholeNumber } from './scalars.ts';

/** A check of the real target through the tunnel. That there is exactly one kind of check is asked by check/tunnels.ts. */
export const probe = mapping({
  http: mapping({
    path: text('a path that begins with "/"', 2_048)
      .regex(/^\/[\x21-\x7e]*$/, { error: wants('a path that begins with "/", without spaces') })
      .describe('Path (and query) of the GET request.'),
    status: wholeNumber(100, 599).prefault(200).describe('Status code that passes. Default 200.'),
    json: json
      .optional()
      .describe('What the JSON body must contain: further fields in the body do not matter. Default: body not read.'),
  })
    .optional()
    .describe('Passes when an HTTP GET is answered as expected.'),
  tcp: mapping({}).optional().describe('Passes when the target accepts a connection: tcp: {}'),
  banner: text('the text that the target sends first')
    .optional()
    .describe('Passes when the target, once connected, sends text that begins with this, as in "SSH-2.0".'),
  every: duration(500, 86_400_000).prefault('10s').describe('Pause between two checks. Default 10s.'),
  timeout: duration(100, 300_000)
    .optional()
    .describe('Bound of one check, not longer than `every`. Default 3s, or `every` if that is shorter.'),
  fall: wholeNumber(1, 100).prefault(3).describe('Consecutive failures until the tunnel is degraded. Default 3.'),
  rise: wholeNumber(1, 100).prefault(2).describe('Consecutive successes until it is up again. Default 2.'),
}).meta({ oneOf: ['http', 'tcp', 'banner'].map((kind) => ({ required: [kind] })) });

/** Keys of {@link probe} of which exactly one is given. */
export const PROBE_KINDS = ['http', 'tcp', 'banner'] as const;

export type ParsedProbe = z.infer<typeof probe>;
