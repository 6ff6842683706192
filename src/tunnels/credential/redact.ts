import { printable } from '../../base/text/printable.ts';

const LONGEST = 200;
const REDACTED = '[redacted]';

const UNREADABLE = /[\p{Cc}\uFFFD]{2,}/gu;

/** A block of RFC 7468 (PEM), also when it is cut at either end. */
const PEM = /-----BEGIN [\s\S]*?(?:-----END [^-\n]*(?:-----)?|$)/g;
const END_OF_PEM = /^[\s\S]*?-----END [^-\n]*-----/;

/** Words that precede a secret. A secret after a word of the first list may contain spaces. */
const NAMES_OF_PHRASES = 'pass(?:word|wd|phrase|code)?|secret|mnemonic';
const NAMES_OF_WORDS = '[\\w.-]*(?:token|key|pin|otp|auth(?:orization)?|credentials?|cookie|session|signature|jwt)';

const RULES: readonly (readonly [RegExp, string])[] = [
  // RFC 3986 section 3.2.1: user:password@host. Up to the last @, because a password may contain one.
  [/(:\/\/)\S*@/g, `$1${REDACTED}@`],
  [/([?&][\w.~%-]+=)[^&\s"']+/g, `$1${REDACTED}`],
  [new RegExp(`((?:${NAMES_OF_PHRASES})["']?\\s*(?:[=:]|\\bis\\b)\\s*).+`, 'gi'), `$1${REDACTED}`],
  [new RegExp(`(-(?:${NAMES_OF_PHRASES}|${NAMES_OF_WORDS})\\s+)\\S+`, 'gi'), `$1${REDACTED}`],
  [
    new RegExp(`((?:${NAMES_OF_WORDS})["']?\\s*[=:]\\s*)(?:"[^"]*"?|'[^']*'?|(?:bearer|basic)\\s+\\S+|\\S+)`, 'gi'),
    `$1${REDACTED}`,
  ],
  [/\b(bearer|basic)\s+\S+/gi, `$1 ${REDACTED}`],
  // Tokens with a known prefix: Vault and OpenBao (also old forms), JSON web tokens, GitHub, AWS.
  [/\b(?:hv[sbr]\.[\w-]+|[sbr]\.[\w-]{8,})/g, REDACTED],
  [/\beyJ[\w-]+(?:\.[\w-]*)*/g, REDACTED],
  [/\b(?:gh[a-z]_|github_pat_|AKIA|ASIA|xox[a-z]-|sk-)[\w-]{8,}/g, REDACTED],
];

/** Base64, base64url or hex. Paths and lists of words contain other characters, or match {@link WORD}. */
const RUN = /[A-Za-z0-9+/_=-]{20,}/g;
const WORD = /^(?:[A-Z]?[a-z]{0,18}\d{0,4}|[A-Z]{1,18}|\d{1,6})$/;
/** The fingerprint of a key (`ssh-keygen -l`) is not secret, and useful. */
const FINGERPRINT = /SHA256:$/;

/**
 * The last line of a command's output, without anything that looks like a secret: the line goes into messages, logs and
 * `/status`. Rather removes too much. Cannot recognise a secret of ordinary words without a name before it. Empty when
 * the command wrote nothing.
 */
export function lastLineRedacted(output: string): string {
  const text = output.replace(PEM, REDACTED).replace(END_OF_PEM, REDACTED);
  const last = text.split(/[\r\n\u2028\u2029]+/).findLast((line) => line.trim() !== '') ?? '';
  // Shortens binary output.
  return printable(redact(last.trim()).replace(UNREADABLE, '\uFFFD'), LONGEST);
}

function redact(line: string): string {
  const named = RULES.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line);
  return named.replace(RUN, (run, at: number) =>
    FINGERPRINT.test(named.slice(0, at)) || run.split(/[/_=+-]/).every((part) => WORD.test(part)) ? run : REDACTED,
  );
}
