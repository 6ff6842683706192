import { z } from 'zod';
import { wants } from '../expectation.ts';
import { duration, line, mapping, path, text, word } from './scalars.ts';

const DAY_MS = 86_400_000;

/** Any text without NUL (a limit of execve(2)), also empty, or several lines for `sh -c`. */
const argument = z
  .string({ error: wants('a command argument, in quotes') })
  .regex(/^[^\0]*$/, { error: wants('a command argument without NUL') })
  .max(4_096, { error: wants('a command argument of at most 4096 characters') });

/** One SSH identity of ours. */
export const actor = mapping({
  key: path.describe(
    'Private key file, which other users must not be able to read; or `agent` for the keys of ssh-agent; or credential:NAME.',
  ),
  passphrase_file: path.optional().describe('File with the passphrase of an encrypted key; or credential:NAME.'),
  cert_command: z
    .union(
      [
        line('a command line', 4_096),
        z.array(argument, { error: wants('a list of arguments') }).min(1, { error: wants('a command to run') }),
      ],
      { error: wants('a command line, or a list of its arguments') },
    )
    .optional()
    .describe(
      'Command that prints a user certificate: a string or a list. No shell runs; a string is split like in a shell. {pubkey} becomes the path of the public key, credential:NAME the path of the credential file. The command runs in the directory of this file.',
    ),
  cert_timeout: duration(100, 600_000).optional().describe('Time limit of cert_command. Default 30s.'),
  ca_fingerprints: z
    .array(
      text('a fingerprint').regex(/^SHA256:[A-Za-z0-9+/]{43}$/, {
        error: wants('a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 characters'),
      }),
      { error: wants('a list of fingerprints') },
    )
    .min(1, { error: wants('at least one fingerprint') })
    .optional()
    .describe('SHA256 fingerprints of the accepted signing CAs. Default: any CA.'),
  principals: z
    .array(text('a principal'), { error: wants('a list of principals') })
    .min(1, { error: wants('at least one principal') })
    .optional()
    .describe('Principals that the certificate must have. Default: not checked.'),
  renew_after: z
    .number({ error: wants('a fraction between 0 and 1, both excluded') })
    .gt(0, { error: wants('a fraction between 0 and 1, both excluded') })
    .lt(1, { error: wants('a fraction between 0 and 1, both excluded') })
    .optional()
    .describe('Fraction of the lifetime after which the certificate is renewed, with 10 % jitter. Default 0.5.'),
  drain_timeout: z
    .union([word(['none']), duration(1_000, 30 * DAY_MS)], {
      error: wants('none, or a duration such as 5m or 24h, from 1s to 30d'),
    })
    .optional()
    .describe('How long an old session stays after a rotation for its open connections. Default none: no limit.'),
  on_expiry: word(['keep', 'drain', 'cut'])
    .optional()
    .describe('Treatment of a live session whose certificate has expired: keep, drain or cut. Default keep.'),
  fallback: mapping({
    key: path.describe('Private key file of the static key; or credential:NAME.'),
    exception: text('the id of an exception in the plan').describe(
      'Id of the documented exception in the plan that allows the static key.',
    ),
  })
    .optional()
    .describe('Static key for times without a valid certificate; only under a documented exception.'),
});
