import type { Row } from './loads.ts';
import { median, ratio, type Series, short, spread } from './series.ts';

/** The figures of one table: each row has a series for each way. */
export interface Table {
  readonly name: string;
  readonly title: string;
  readonly ways: readonly string[];
  readonly rows: readonly { readonly row: Row; readonly series: Readonly<Record<string, Series>> }[];
}

/** One figure without a rival, with its goal. */
export interface Single {
  readonly title: string;
  readonly value: number;
  readonly goal: number | undefined;
}

const OURS = 'fleet-mesh';
const SSH = 'ssh -L';
const GCM = 'ssh -L, aes128-gcm';

/** Whether a ratio reaches its goal; `less` is better or `more` is. */
function reaches(value: number, goal: number, better: Row['better']): boolean {
  return better === 'less' ? value <= goal : value >= goal;
}

export function markdownTable({ ways, rows }: Table): string {
  const head = ['', ...ways, 'ours ÷ ssh', 'goal', ''];
  const body = rows.map(({ row, series }) => {
    const against = ratio(series[OURS] ?? [], series[SSH] ?? []);
    const { goal } = row;
    const verdict = goal === undefined ? '' : reaches(against, goal, row.better) ? 'met' : '**missed**';
    const figures = ways.map((way) => cell(series[way] ?? []));
    const sign = row.better === 'less' ? '≤' : '≥';
    return [
      row.title,
      ...figures,
      short(against),
      goal === undefined ? '' : `${sign} ${goal}`,
      verdict + gcm(row, series),
    ];
  });
  return markdown(head, body);
}

/** The second goal of a row, against the same cipher. */
function gcm({ goalOfGcm, better }: Row, series: Readonly<Record<string, Series>>): string {
  if (goalOfGcm === undefined) return '';
  const against = ratio(series[OURS] ?? [], series[GCM] ?? []);
  return `; ${short(against)} of gcm (goal ${goalOfGcm}): ${reaches(against, goalOfGcm, better) ? 'met' : '**missed**'}`;
}

function cell(series: Series): string {
  if (series.length === 0) return '–';
  return `${short(median(series))} ±${Math.round((100 * spread(series)) / 2)} %`;
}

export function markdownSingles(singles: readonly Single[]): string {
  const body = singles.map(({ title, value, goal }) => {
    const verdict = goal === undefined ? '' : value <= goal ? 'met' : '**missed**';
    return [title, short(value), goal === undefined ? '' : `≤ ${goal}`, verdict];
  });
  return markdown(['', OURS, 'goal', ''], body);
}

function markdown(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}

/** The bars of a chart: how many times better than `ssh -L` we are in each row. */
export function factors({ rows }: Table): { readonly title: string; readonly factor: number }[] {
  return rows.map(({ row, series }) => {
    const against = ratio(series[OURS] ?? [], series[SSH] ?? []);
    return { title: row.title, factor: row.better === 'less' ? 1 / against : against };
  });
}
