import { printable } from '../../base/text/printable.ts';
import type { Finding, LinkFindings } from '../../machine/doctor/finding.ts';

const WORDS = { ok: 'ok', failed: 'FAIL', skipped: 'skip' } as const;

/** One line for each step, with the fix below a failed step. Text from other machines is stripped of control characters. */
export function linkText({ host, actor, where, findings }: LinkFindings): string {
  return `${[`${host} as ${actor} (${printable(where)})`, ...findings.flatMap(lines)].join('\n')}\n`;
}

function lines({ step, tunnel, verdict, detail, ms, error }: Finding): string[] {
  const subject = tunnel === undefined ? step : `${step} ${tunnel}`;
  const took = ms === undefined ? '' : ` (${ms} ms)`;
  const code = error === undefined ? '' : ` [${error.code}]`;
  return [
    `  ${WORDS[verdict].padEnd(5)} ${`${subject}:`.padEnd(16)} ${printable(detail)}${took}${code}`,
    ...(error === undefined ? [] : [`        fix: ${printable(error.hint)}`]),
  ];
}

/** The last line: the number of failed steps. */
export function sumText(links: readonly LinkFindings[]): string {
  const failed = links.flatMap(({ findings }) => findings).filter(({ verdict }) => verdict === 'failed').length;
  if (links.length === 0) return 'No tunnels are configured: nothing to check.\n';
  if (failed === 0) return 'All checks passed.\n';
  return `${failed === 1 ? '1 step fails' : `${failed} steps fail`}.\n`;
}
