import type { Family, Sample } from './families.ts';

/**
 * A family in the text format 0.0.4, as prom-client writes it. The values come from the snapshot at each scrape: one
 * object per series in a registry would cost several times as much as the text. Pure.
 */
export function familyText(prefix: string, { name, help, type, distinct }: Family, samples: readonly Sample[]): string {
  const full = prefix + name;
  const series = distinct ? samples : withoutRepeats(samples, type);
  const parts: (string | number)[] = [`# HELP ${full} ${escaped(help)}\n# TYPE ${full} ${type}`];
  // Joined at once: a growing string would be an object for each piece of it.
  for (const { labels, value } of series) {
    parts.push('\n', full);
    pushLabels(parts, labels);
    parts.push(' ', value);
  }
  return parts.join('');
}

/** Two links of one actor give the same series twice: a page must not. */
function withoutRepeats(samples: readonly Sample[], type: Family['type']): Iterable<Sample> {
  const series = new Map<string, Sample>();
  for (const { labels, value } of samples) {
    const text = labelsText(labels);
    series.set(text, { labels, value: type === 'counter' ? (series.get(text)?.value ?? 0) + value : value });
  }
  return series.values();
}

function pushLabels(parts: (string | number)[], labels: Sample['labels']): void {
  let start = '{';
  for (const label in labels) {
    parts.push(start, label, '="', quoted(labels[label] ?? ''), '"');
    start = ',';
  }
  if (start === ',') parts.push('}');
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
