import { z } from 'zod';
import { wants } from '../expectation.ts';
import { mapping, path, text, word } from './scalars.ts';

/** What a webhook may be told about. */
const NOTICES = ['tunnel.state', 'advisory', 'node.state'] as const;

const URL_EXPECTED = 'an http:// or https:// URL without user and password';

/** One webhook: an HTTP server that is told about changes. */
export const webhook = mapping({
  webhook: text(URL_EXPECTED, 2_048)
    .refine(isPlainUrl, { error: wants(URL_EXPECTED) })
    .describe('The URL that gets a POST for each change. Redirects are not followed.'),
  events: z
    .array(word(NOTICES), { error: wants('a list of events') })
    .min(1, { error: wants('at least one event') })
    .describe('The changes to tell: tunnel.state, node.state (the worst production tunnel), advisory.'),
  secret_file: path
    .optional()
    .describe('File with a token, sent as Authorization: Bearer TOKEN; or credential:NAME. Default: none.'),
  template: z
    .string({ error: wants('text, with fields in braces such as {text}') })
    .max(4_096, { error: wants('a text of at most 4096 characters') })
    .optional()
    .describe(
      'The body for a chat service, as JSON with fields in braces: {text}, {event}, {node}, {tunnel}, {state}, {code}, {at}. Default: all fields as JSON.',
    ),
});

function isPlainUrl(written: string): boolean {
  if (!URL.canParse(written)) return false;
  const { protocol, username, password } = new URL(written);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}
