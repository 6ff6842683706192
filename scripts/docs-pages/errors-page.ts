import { CATALOGUE } from '../../src/base/errors.ts';
import { ADVISORIES } from '../../src/telemetry/status/advisory.ts';
import { BLOCKERS, UNKNOWNS } from '../../src/telemetry/status/finding-codes.ts';
import { code, page, prose, table } from './markdown.ts';

const SOURCE = 'src/base/errors.ts and src/telemetry/status/';

const INTRODUCTION = [
  'Every failure has a code. The code appears in `/status`, in the log, in metrics and in `fleet-mesh why TUNNEL`.',
  'Codes never change. Messages may change, so match on codes.',
];

/** Every code that the program may show, as headings that can be linked to: `errors.md#auth_rejected`. */
export function errorsPage(): string {
  return page('Codes', SOURCE, [
    INTRODUCTION.map(prose).join(' '),
    [
      '- [Errors](#errors): why a session, a certificate or a connection failed',
      '- [Advisories](#advisories): conditions to act on, although tunnels work',
      '- [Blockers](#blockers): why a tunnel must not be retired yet',
      '- [Unknowns](#unknowns): why the daemon cannot tell whether a tunnel may be retired',
    ].join('\n'),
    '# Errors',
    prose(
      'If a retry helps, the daemon retries by itself until the attempt succeeds. Otherwise the same attempt fails ' +
        'again until somebody fixes the cause.',
    ),
    table(
      ['Code', 'Retry helps', 'Cause'],
      Object.entries(CATALOGUE).map(([name, { retryable, cause }]) => [link(name), yesNo(retryable), prose(cause)]),
    ),
    ...Object.entries(CATALOGUE).map(([name, { cause, retryable, hint }]) =>
      entry(name, [
        `**Cause:** ${prose(cause)}`,
        `**Does a retry help?** ${retryable ? 'Yes. The daemon retries by itself.' : 'No. Fix the cause first.'}`,
        `**Fix:** ${prose(hint)}`,
      ]),
    ),
    ...group('Advisories', 'The daemon and `fleet-mesh check` report advisories.', ADVISORIES),
    ...group('Blockers', 'A tunnel with a blocker is not retirable. `fleet-mesh why TUNNEL` lists blockers.', BLOCKERS),
    ...group(
      'Unknowns',
      'With an unknown, the verdict on a tunnel is `unknown`. No unknown can be overridden.',
      UNKNOWNS,
    ),
  ]);
}

type Explained = Readonly<Record<string, { readonly cause: string; readonly remedy: string }>>;

function group(title: string, about: string, explained: Explained): string[] {
  return [
    `# ${title}`,
    prose(about),
    ...Object.entries(explained).map(([name, { cause, remedy }]) =>
      entry(name, [`**Cause:** ${prose(cause)}`, `**Fix:** ${prose(remedy)}`]),
    ),
  ];
}

function entry(name: string, lines: readonly string[]): string {
  return [`## ${name}`, lines.map((line) => `- ${line}`).join('\n')].join('\n\n');
}

function link(name: string): string {
  return `[${code(name)}](#${name})`;
}

function yesNo(yes: boolean): string {
  return yes ? 'yes' : 'no';
}
