import type { z } from 'zod';
import { wants } from '../expectation.ts';
import { duration, json, mapping, text, wholeNumber } from './scalars.ts';

/** The kinds of check; a {@link probe} has exactly one. */
export const PROBE_KINDS = ['http', 'tcp', 'banner'] as const;

/** A check of the real target through the tunnel. check/tunnels.ts requires exactly one kind of check. */
export const probe = mapping({
  http: mapping({
    path: text('a path that begins with "/"', 2_048)
      .regex(/^\/[\x21-\x7e]*$/, { error: wants('a path that begins with "/", without spaces') })
      .describe('Path (and query) of the GET request.'),
    status: wholeNumber(100, 599).prefault(200).describe('Status code that passes. Default 200.'),
    json: json
      .optional()
      .describe(
        'Fields and values that the JSON body must contain; other fields are ignored. Default: the body is not read.',
      ),
  })
    .optional()
    .describe('Passes if the answer to an HTTP GET request is as expected.'),
  tcp: mapping({}).optional().describe('Passes if the target accepts a connection. Written as tcp: {}'),
  banner: text('the text that the target sends first')
    .optional()
    .describe('Passes if the first text from the target starts with this text, such as "SSH-2.0".'),
  every: duration(500, 86_400_000).prefault('10s').describe('Pause between two checks. Default 10s.'),
  timeout: duration(100, 300_000)
    .optional()
    .describe('Time limit of one check, at most `every`. Default 3s, or `every` if shorter.'),
  fall: wholeNumber(1, 100).prefault(3).describe('Consecutive failures until the tunnel is degraded. Default 3.'),
  rise: wholeNumber(1, 100).prefault(2).describe('Consecutive successes until the tunnel is up again. Default 2.'),
}).meta({ oneOf: PROBE_KINDS.map((kind) => ({ required: [kind] })) });

export type ParsedProbe = z.infer<typeof probe>;
