import { parseDocument } from 'yaml';
import type { Place } from './fleet.ts';

/** A step of the runbook, in the order of the page. `line` is the line of its block. */
export type Step = { readonly line: number } & (
  | { readonly kind: 'commands'; readonly place: Place; readonly text: string; readonly expected: readonly string[] }
  | { readonly kind: 'sections'; readonly file: string; readonly text: string }
  | { readonly kind: 'event'; readonly name: string }
);

export interface Section {
  readonly title: string;
  readonly steps: readonly Step[];
}

const BLOCK =
  /^<!-- (?<key>on|event): (?<value>[^\n]+) -->$|^```(?<language>\w*)\n(?<text>.*?)^```$|^## (?<title>[^\n]+)$/gms;

/**
 * The steps of a Markdown page, by section: every `sh` block, with the `text` block behind it as its expected output, and every
 * `yaml` block, whose first line names its file. Throws for any other block, so none is left out by mistake. Pure.
 */
export function sectionsOf(page: string): Section[] {
  const sections: { title: string; steps: Step[] }[] = [];
  let place: Place | undefined;
  for (const { groups = {}, index } of page.matchAll(BLOCK)) {
    const { key, value = '', language, text = '', title } = groups;
    const line = page.slice(0, index).split('\n').length;
    if (title !== undefined) sections.push({ title, steps: [] });
    else if (key === 'on') place = placeOf(value, line);
    else if (language === 'diagram') continue;
    else {
      const steps = sections.at(-1)?.steps;
      if (steps === undefined) throw new Error(`line ${line}: a block before the first section`);
      if (key === 'event') steps.push({ kind: 'event', name: value, line });
      else steps.push(...stepOf(language ?? '', text, line, place, steps));
    }
  }
  return sections.filter(({ steps }) => steps.length > 0);
}

function placeOf(name: string, line: number): Place {
  if (name === 'workstation' || name === 'node-1') return name;
  throw new Error(`line ${line}: there is no machine ${name}`);
}

function stepOf(language: string, text: string, line: number, place: Place | undefined, before: Step[]): Step[] {
  if (language === 'sh' && place !== undefined) return [{ kind: 'commands', place, text, expected: [], line }];
  if (language === 'yaml') {
    const file = /^# (\S+\.yaml)$/m.exec(text)?.[1];
    if (file === undefined) throw new Error(`line ${line}: the first line must name the file`);
    return [{ kind: 'sections', file, text, line }];
  }
  const last = before.at(-1);
  if (language !== 'text' || last?.kind !== 'commands' || last.expected.length > 0)
    throw new Error(`line ${line}: a block of "${language}" that belongs to no command`);
  before.pop();
  return [{ ...last, expected: text.trimEnd().split('\n') }];
}

/** The first expected line that the output lacks, in this order; undefined if all are there. `…` is any text. Pure. */
export function missingLine(output: string, expected: readonly string[]): string | undefined {
  const lines = output.split('\n').map((line) => line.trimEnd());
  let from = 0;
  for (const line of expected) {
    const parts = line
      .trimEnd()
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(`^${parts.join('.*')}$`);
    const at = lines.findIndex((each, index) => index >= from && pattern.test(each));
    if (at === -1) return line;
    from = at + 1;
  }
  return undefined;
}

/** The YAML with its top-level sections replaced by those of the block. Pure. */
export function withSections(yaml: string, block: string): string {
  const [whole, part] = [parseDocument(yaml), parseDocument(block)];
  for (const [key, value] of Object.entries(part.toJS() as Record<string, unknown>)) whole.set(key, value);
  return whole.toString();
}
