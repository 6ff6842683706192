import type { Storm } from './storm.ts';

/** The storms as a table of Markdown. */
export function markdownTable(storms: readonly Storm[]): string {
  const head = [
    'nodes',
    'clients',
    '99 % back after (s)',
    'most connections in a second, sshd up',
    'the same, sshd down',
    'connections per login',
  ];
  const rows = storms.map((storm) => [
    grouped(storm.nodes),
    storm.clients,
    storm.backSeconds === undefined ? `not within ${grouped(storm.arrivals.length)}` : storm.backSeconds.toFixed(1),
    grouped(storm.peakPerSecond),
    grouped(storm.peakRefusedPerSecond),
    storm.attemptsPerLogin.toFixed(1),
  ]);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
