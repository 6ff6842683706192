import { markdownTable as table, markdownText as text } from '../../base/text/markdown.ts';
import { formatSpan } from '../../base/text/span.ts';
import { formatDuration } from '../../config/duration.ts';
import type { HostRecord, TunnelRecord } from './judgement.ts';
import type { AcceptanceReport } from './report.ts';

/** Most reasons in the Markdown; the JSON has all. */
const MOST_REASONS = 100;

const HOUR_MS = 3_600_000;

/** The report as a Markdown document. */
export function acceptanceMarkdown(report: AcceptanceReport): string {
  const { verdict, node, offline, tunnels, host, remarks } = report;
  const sections = [
    `# Acceptance: ${text(node)} without ${text(offline)}`,
    `**${verdict}**: ${verdict === 'PASS' ? proven(report) : 'not proven, for the reasons below. Unknown counts as not proven.'}`,
    table(['', ''], heading(report)),
    ...(verdict === 'FAIL' ? ['## Reasons', reasons(report)] : []),
    '## Production tunnels',
    tunnels.length === 0
      ? 'None.'
      : table(
          ['tunnel', 'way', 'target', 'availability', 'outages', 'longest outage', 'not watched'],
          tunnels.map(tunnelRow),
        ),
    `## ${text(offline)}`,
    table(['', ''], hostRows(host)),
    '## Configuration in force',
    report.configurations.length === 0
      ? 'Not known.'
      : table(
          ['from', 'until', 'SHA-256 of the file'],
          report.configurations.map(({ from, until, sha256 }) => [from, until, sha256 ?? 'not known']),
        ),
    ...(remarks.length > 0 ? ['## Remarks', list(remarks.map(text))] : []),
    '## How to check it',
    check(report),
  ];
  return `${sections.join('\n\n')}\n`;
}

function proven({ offline, window_ms: ms }: AcceptanceReport): string {
  return `for ${hours(ms)} every production tunnel served without a break, ${text(offline)} was unreachable, and no route used ${text(offline)}.`;
}

function heading(report: AcceptanceReport): string[][] {
  const { window, evidence, plan, daemon_version: watched } = report;
  return [
    ['node', text(report.node)],
    ['away', text(report.offline)],
    ['window', window ? `${window.from} to ${window.until} (${hours(report.window_ms)})` : 'no evidence'],
    ['as of', report.as_of],
    ['evidence', evidence.seq === 0 ? 'none' : `entry ${evidence.seq}, SHA-256 ${evidence.sha256}`],
    ['judged by', `fleet-mesh ${text(report.version)}`],
    ['watched by', watched === null ? 'not known' : `fleet-mesh ${text(watched)}`],
    ['plan', plan === null ? 'none' : `${text(plan.path)}, SHA-256 ${plan.sha256 ?? 'not known'}`],
  ];
}

function reasons({ reasons: all }: AcceptanceReport): string {
  const more = all.length > MOST_REASONS ? [`and ${all.length - MOST_REASONS} more, see the JSON report`] : [];
  return list([...all.slice(0, MOST_REASONS).map(({ code, message }) => `${code}: ${text(message)}`), ...more]);
}

function tunnelRow(tunnel: TunnelRecord): string[] {
  const { name, way, target, availability, outages, longest_outage: longest, gaps } = tunnel;
  const unwatched = gaps.reduce((sum, { from, until }) => sum + Date.parse(until) - Date.parse(from), 0);
  return [
    text(name),
    text(way.join(' < ')),
    text(target ?? 'chosen by each client'),
    percent(availability),
    String(outages),
    longest === null ? 'none' : `${lasting(longest.ms)}, from ${longest.from} to ${longest.until}`,
    gaps.length === 0 ? 'never' : `${lasting(unwatched)} in total, first from ${gaps[0]?.from}`,
  ];
}

function hostRows(host: HostRecord): string[][] {
  const { longest_pause_ms: pause, last_seen_before: seen } = host;
  return [
    ['unreachable throughout', host.unreachable_throughout ? 'yes' : 'no'],
    ['checked at', text(host.addresses.join(', ') || 'nowhere')],
    ['looks', pause === null ? String(host.checks) : `${host.checks}, never more than ${lasting(pause)} apart`],
    ['found', text(host.codes.join(', ') || 'nothing')],
    ['last reachable before', seen ?? 'never, as far as the evidence goes back'],
  ];
}

function check({ as_of: asOf, window_ms: ms, offline, evidence }: AcceptanceReport): string {
  const again = `fleet-mesh acceptance --window ${hours(ms)} --offline ${offline}`;
  return list([
    `Check the evidence with \`fleet-mesh events --verify\`. It is intact up to entry ${evidence.seq} if that line of \`events.jsonl\`, without its newline, has the SHA-256 above.`,
    `Create this report again with \`${again} --until ${asOf}\`.`,
  ]);
}

/** In hours, as on the command line: 24h, not 1d. */
function hours(ms: number): string {
  return ms % HOUR_MS === 0 ? `${ms / HOUR_MS}h` : formatDuration(ms);
}

/** Rounded down: less than 100 % must not read as 100 %. */
function percent(share: number): string {
  return share === 1 ? '100 %' : `${(share * 100).toFixed(4)} %`;
}

function lasting(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : formatSpan(ms);
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
