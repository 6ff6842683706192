import { stringify } from 'yaml';
import { FILE_RULES } from '../reference/file-rules.ts';
import { type Field, fieldsOf, type SchemaNode } from '../reference/schema-fields.ts';
import { code, page, prose, table } from './markdown.ts';

/** The keys of one mapping: `hosts.NAME.keepalive`; the top of the file has no name. */
interface Section {
  readonly name: string;
  readonly fields: readonly Field[];
}

/**
 * Every key of the configuration file, mapping by mapping.
 *
 * @param example a complete configuration; its values are the examples
 */
export function configurationPage(schema: SchemaNode, example: unknown): string {
  const all = sectionsOf(fieldsOf(schema));
  const sections = all.filter((section) => twinOf(section, all) === section);
  return page('Configuration', 'src/config/schema.ts and config/example-tunnels.yaml', [
    ...FILE_RULES.map(prose),
    'A complete file with every key: [example-tunnels.yaml](../config/example-tunnels.yaml).',
    sections.map(({ name }) => `- [${title(name)}](#${anchor(name)})`).join('\n'),
    ...sections.flatMap(({ name, fields }) => [
      `## ${title(name)}`,
      table(
        ['Key', 'Type', 'Default', 'Example', 'Meaning'],
        fields.map((field) => row(field, all, example)),
      ),
    ]),
  ]);
}

function sectionsOf(fields: readonly Field[]): Section[] {
  const names = [...new Set(fields.map(parentOf))];
  return names.map((name) => ({ name, fields: fields.filter((field) => parentOf(field) === name) }));
}

/** The first section with the same keys: equal sections are described once. */
function twinOf(section: Section, sections: readonly Section[]): Section {
  const keys = ({ fields }: Section) => JSON.stringify(fields.map(({ path, node }) => [path.at(-1), node]));
  return sections.find((other) => keys(other) === keys(section)) ?? section;
}

function row(field: Field, sections: readonly Section[], example: unknown): string[] {
  const { path, type, description } = field;
  const key = code(path.at(-1) ?? '');
  const below = [dotted(path), dotted([...path, 'NAME']), dotted([...path, '[]'])];
  const section = sections.find(({ name }) => below.includes(name));
  return [
    section === undefined ? key : `[${key}](#${anchor(twinOf(section, sections).name)})`,
    prose(type),
    defaultOf(field),
    // The examples of a nested section are in that section.
    section === undefined ? exampleOf(path, example) : '',
    prose(withoutDefault(description)),
  ];
}

/** The end of a description whose default no schema can express, such as "Default: none." */
const DEFAULT = / Default:? ([^.]+(?:\.[^ ][^.]*)*)\.$/;

function defaultOf({ isRequired, node, description }: Field): string {
  if (isRequired) return '**required**';
  const said = DEFAULT.exec(description)?.[1];
  const { default: given } = node;
  if (given !== undefined && typeof given !== 'object') return code(String(given));
  if (said === undefined) return given === undefined || node.properties === undefined ? 'none' : 'see its keys';
  return /^\d[\w.]*$/.test(said) || node.enum?.includes(said) === true ? code(said) : prose(said);
}

function withoutDefault(description: string): string {
  return description.replace(DEFAULT, '');
}

function exampleOf(path: readonly string[], example: unknown): string {
  const value = valueAt(example, path);
  if (value === undefined) return '';
  return code(stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim());
}

/** The first value at the path: NAME matches any key, [] any item. */
function valueAt(tree: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return tree;
  if (typeof tree !== 'object' || tree === null) return undefined;
  const named = Object.entries(tree).filter(([name]) => key === 'NAME' || key === '[]' || key === name);
  return named.map(([, value]) => valueAt(value, rest)).find((value) => value !== undefined);
}

function parentOf({ path }: Field): string {
  return dotted(path.slice(0, -1));
}

function dotted(path: readonly string[]): string {
  return path.join('.').replaceAll('.[]', '[]');
}

function title(name: string): string {
  return name === '' ? 'Top of the file' : name;
}

/** The anchor of the heading, as GitHub makes it. */
function anchor(name: string): string {
  return title(name)
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
