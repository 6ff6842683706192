import type { TunnelStatus } from '../status/status.ts';
import type { Family, Sample, TunnelFamily } from './families.ts';

/**
 * A family in the text format 0.0.4, as prom-client writes it. The values come from the snapshot at each scrape: one
 * object per series in a registry would cost several times as much as the text. Pure.
 */
export function familyText(prefix: string, family: Omit<Family, 'samples'>, samples: readonly Sample[]): string {
  const full = prefix + family.name;
  const parts: (string | number)[] = [headText(full, family)];
  // Joined at once: a growing string would be an object for each piece of it.
  for (const [labels, value] of withoutRepeats(samples, family.type)) parts.push('\n', full, labels, ' ', value);
  return parts.join('');
}

/** A tunnel on a page, with the start of each of its series: `{tunnel="name"`. */
export interface PageRow {
  readonly tunnel: TunnelStatus;
  readonly start: string;
}

/** The rows of a page. The status has one row for each name, so no series repeats. Pure. */
export function pageRows(tunnels: readonly TunnelStatus[]): PageRow[] {
  return tunnels.map((tunnel) => ({ tunnel, start: `{tunnel="${quoted(tunnel.name)}"` }));
}

/** As {@link familyText}, for the series of each tunnel. Pure. */
export function tunnelFamilyText(prefix: string, family: TunnelFamily, rows: readonly PageRow[]): string {
  const full = prefix + family.name;
  const parts: (string | number)[] = [headText(full, family)];
  const before = `\n${full}`;
  let start = '';
  const put = (value: number, more = '') => {
    parts.push(before, start, more, '} ', value);
  };
  for (const row of rows) {
    start = row.start;
    family.series(row.tunnel, put);
  }
  return parts.join('');
}

function headText(full: string, { help, type }: Pick<Family, 'help' | 'type'>): string {
  return `# HELP ${full} ${escaped(help)}\n# TYPE ${full} ${type}`;
}

/** Two links of one actor give the same series twice: a page must not. */
function withoutRepeats(samples: readonly Sample[], type: Family['type']): ReadonlyMap<string, number> {
  const series = new Map<string, number>();
  for (const { labels, value } of samples) {
    const text = labelsText(labels);
    series.set(text, type === 'counter' ? (series.get(text) ?? 0) + value : value);
  }
  return series;
}

/** Labels in braces, as in a line of the text format; empty without labels. */
export function labelsText(labels: Sample['labels']): string {
  let text = '';
  for (const label in labels) text += `${text === '' ? '{' : ','}${label}="${quoted(labels[label] ?? '')}"`;
  return text === '' ? '' : `${text}}`;
}

function quoted(value: string): string {
  return /["\\\n]/.test(value) ? escaped(value).replaceAll('"', '\\"') : value;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
