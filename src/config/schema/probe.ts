import type { z } from 'zod';
import { wants } from '../expectation.ts';
import { authority, duration, hostName, json, mapping, path, rawText, text, wholeNumber } from './scalars.ts';

/** The keys of an HTTP request, over TLS or not. */
const request = {
  path: text('a path that begins with "/"', 2_048)
    .regex(/^\/[\x21-\x7e]*$/, { error: wants('a path that begins with "/", without spaces') })
    .describe('Path (and query) of the GET request.'),
  status: wholeNumber(100, 599).prefault(200).describe('Status code that passes. Default 200.'),
  json: json
    .optional()
    .describe(
      'Fields and values that the JSON body must contain; other fields are ignored. Default: the body is not read.',
    ),
  host: authority
    .optional()
    .describe('Host header: the virtual host of the service, as host or host:port. Default: the target.'),
};

/** The kinds of check, one key each. */
const kinds = {
  http: mapping(request).optional().describe('Passes if the answer to an HTTP GET request is as expected.'),
  https: mapping({
    ...request,
    ca: path
      .optional()
      .describe('PEM file with the CAs that the certificate must come from. Default: the CAs that Node.js trusts.'),
    server_name: hostName
      .optional()
      .describe('Name for SNI, and name in the certificate. Default: the host of `host`, or else the target.'),
  })
    .optional()
    .describe('As http, over TLS. The certificate of the target is verified.'),
  tcp: mapping({
    send: rawText('the text to send').optional().describe('Text to send after the connection is open. Default: none.'),
    expect: rawText('the text that the answer contains')
      .optional()
      .describe('Text that the answer must contain, within its first 16 KiB. Default: the answer is not read.'),
  })
    .optional()
    .describe('Passes if the target accepts a connection, and answers as expected. Without an exchange: tcp: {}'),
  banner: text('the text that the target sends first')
    .optional()
    .describe('Passes if the first text from the target starts with this text, such as "SSH-2.0".'),
};

export type ProbeKind = keyof typeof kinds;

/** The kinds of check; a {@link probe} has exactly one. */
export const PROBE_KINDS = Object.keys(kinds) as readonly ProbeKind[];

/** A check of the real target through the tunnel. check/tunnels.ts requires exactly one kind of check. */
export const probe = mapping({
  ...kinds,
  every: duration(500, 86_400_000).prefault('10s').describe('Pause between two checks. Default 10s.'),
  timeout: duration(100, 300_000)
    .optional()
    .describe('Time limit of one check, at most `every`. Default 3s, or `every` if shorter.'),
  fall: wholeNumber(1, 100).prefault(3).describe('Consecutive failures until the tunnel is degraded. Default 3.'),
  rise: wholeNumber(1, 100).prefault(2).describe('Consecutive successes until the tunnel is up again. Default 2.'),
}).meta({ oneOf: PROBE_KINDS.map((kind) => ({ required: [kind] })) });

export type ParsedProbe = z.infer<typeof probe>;
