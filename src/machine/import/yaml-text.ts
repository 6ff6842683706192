import type { Draft } from './draft.ts';

/** Plain if YAML 1.2 surely reads the same string, else as a JSON string, which is valid YAML. */
function scalar(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const plain = /^[A-Za-z~/][\w./~@-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|~)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}

function valueText(value: unknown): string {
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map((each) => valueText(each)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return scalar(typeof value === 'number' ? value : String(value));
  const fields = Object.entries(value).filter(([, each]) => each !== undefined && each !== '');
  return `{ ${fields.map(([key, each]) => `${key}: ${valueText(each)}`).join(', ')} }`;
}

function section(name: string, entries: ReadonlyMap<string, object>): string[] {
  if (entries.size === 0) return [`${name}: {}`];
  const body = [...entries].flatMap(([key, fields]) => entryLines(key, fields));
  return [`${name}:`, ...body.map((line) => `  ${line}`)];
}

/** One entry of a section: a line for each field. Undefined and empty fields are left out. */
export function entryLines(name: string, fields: object): string[] {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '');
  return [`${scalar(name)}:`, ...kept.map(([field, value]) => `  ${field}: ${valueText(value)}`)];
}

/** The same entry as one line, for a section in braces. */
export function entryFlow(name: string, fields: object): string {
  return `${scalar(name)}: ${valueText(fields)}`;
}

/** The draft as YAML, with the remarks as comments. `how`: the command that made it. */
export function yamlText({ node, hosts, actors, tunnels, remarks }: Draft, how: string): string {
  const comment = (text: string) => `# ${text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')}`;
  const lines = [
    comment(`Made by \`${how}\`. Check this file before you use it:`),
    comment('Set production: true for each tunnel that production needs. Add a probe to each tunnel with a target.'),
    comment('ssh listens for localhost on 127.0.0.1 and on ::1. A tunnel here listens on 127.0.0.1 only.'),
    ...remarks.map(({ text, lost }) => comment(lost ? `NOT TRANSLATED: ${text}` : text)),
    'version: 1',
    `node: ${scalar(node)}`,
    ...section('hosts', hosts),
    ...section('actors', actors),
    ...section('tunnels', tunnels),
  ];
  return `${lines.join('\n')}\n`;
}
