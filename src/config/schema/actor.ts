import { z } from 'zod';
import { wants } from '../expectation.ts';
import { duration, line, mapping, path, text, word } from './scalars.ts';

const DAY_MS = 86_400_000;

/** Any text but NUL, which execve(2) cannot carry: also an empty one, or a script of several lines for `sh -c`. */
const argument = z
  .string({ error: wants('a command argument, in quotes') })
  .regex(/^[^\0]*$/, { error: wants('a command argument without NUL') })
  .max(4_096, { error: wants('a command argument of at most 4096 characters') });

/** One SSH identity of ours. */
export const actor = mapping({
  key: path.describe(
    'Private key file, refused if others can read it; or `agent` for the keys of ssh-agent; or credential:NAME.',
  ),
  passphrase_file: path.optional().describe('File that holds the passphrase of an encrypted key; or credential:NAME.'),
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
      'Command that prints a user certificate: a string (split like a shell, no shell run) or a list; {pubkey} becomes the path of the public key, and an argument credential:NAME that of the file. It runs in the directory of this file.',
    ),
  cert_timeout: duration(100, 600_000).optional().describe('How long cert_command may run. Default 30s.'),
  ca_fingerprints: z
    .array(
      text('a fingerprint').regex(/^SHA256:[A-Za-z0-9+/]{43}$/, {
        error: wants('a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 characters'),
      }),
      { error: wants('a list of fingerprints') },
    )
    .min(1, { error: wants('at least one fingerprint') })
    .optional()
    .describe('Pins the signing CA: SHA256 fingerprints of the accepted ones. Default: any CA.'),
  principals: z
    .array(text('a principal'), { error: wants('a list of principals') })
    .min(1, { error: wants('at least one principal') })
    .optional()
    .describe('What the certificate must carry. Default: not checked.'),
  renew_after: z
    .number({ error: wants('a fraction between 0 and 1, both excluded') })
    .gt(0, { error: wants('a fraction between 0 and 1, both excluded') })
    .lt(1, { error: wants('a fraction between 0 and 1, both excluded') })
    .optional()
    .describe('When the certificate is renewed: fraction of its lifetime, with 10 % jitter. Default 0.5.'),
  drain_timeout: z
    .union([word(['none']), duration(1_000, 30 * DAY_MS)], {
      error: wants('none, or a duration such as 5m or 24h, from 1s to 30d'),
    })
    .optional()
    .describe(
      'After a rotation: how long the old session may live on for its open connections. Default none: no limit.',
    ),
  on_expiry: word(['keep', 'drain', 'cut'])
    .optional()
    .describe('What happens to a live session whose certificate expired: keep, drain or cut. Default keep.'),
  fallback: mapping({
    key: path.describe('Private key file of the static key; or credential:NAME.'),
    exception: text('the id of an exception in the plan').describe(
      'Id of the documented exception in the plan that allows it.',
    ),
  })
    .optional()
    .describe('Static key for when no certificate can be had; only under a documented exception.'),
});
