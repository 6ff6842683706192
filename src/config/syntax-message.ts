import { quoted } from './expectation.ts';

/** A syntax error where a person must look for it: often not where the parser noticed it. */
export interface SyntaxFault {
  /** Offset in the text, in UTF-16 units. */
  readonly offset: number;
  readonly message: string;
}

/** Texts for the codes of the parser that need no look at the surrounding text. */
const MESSAGES: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a second document starts here; expected one document, without "---" between parts',
  RESOURCE_EXHAUSTION: 'nested too deeply',
  TAB_AS_INDENT: 'a tab in the indentation; expected spaces',
  MULTIPLE_ANCHORS: 'two anchors (&name) on one value; expected one',
  MULTIPLE_TAGS: 'tags (!name) are not supported; expected the value without a tag',
  TAG_RESOLVE_FAILED: 'tags (!name) are not supported; expected the value without a tag',
  ALIAS_PROPS: 'an alias (*name) cannot have an anchor or a tag; expected the alias alone',
  BAD_ALIAS: 'the alias has no valid name; expected *name, or the value in quotes',
  BAD_DIRECTIVE: 'a line that begins with % is a directive; expected no directive',
  BAD_DQ_ESCAPE: 'an unknown escape in double quotes; expected \\\\ for a backslash, or single quotes',
  BLOCK_IN_FLOW: 'an indented block inside [ ] or { }; expected values on the same level, separated by commas',
  KEY_OVER_1024_CHARS: 'the key is too long; expected a name, a colon and a value',
};

/** Explains an error of the parser in words of a person who edits the file. Pure. */
export function explainSyntax(code: string, text: string, offset: number): SyntaxFault {
  const known = MESSAGES[code];
  if (known !== undefined) return { offset, message: known };
  const open = openBefore(text, offset);
  if (open !== undefined && isQuote(open.mark))
    return { offset: open.offset, message: `the quote ${open.mark} is not closed; expected a second ${open.mark}` };
  if (open !== undefined && code !== 'BAD_SCALAR_START' && code !== 'UNEXPECTED_TOKEN') {
    const closing = open.mark === '[' ? ']' : '}';
    return { offset: open.offset, message: `${quoted(open.mark)} is not closed; expected ${quoted(closing)}` };
  }
  const line = lineAt(text, offset);
  switch (code) {
    case 'BLOCK_AS_IMPLICIT_KEY':
      return secondColon(line, offset) ?? deeperLine(text, line) ?? { offset, message: OTHERWISE };
    case 'BAD_INDENT':
      return wrongIndent(text, line);
    case 'BAD_SCALAR_START':
      return {
        offset,
        message: `a value cannot begin with ${quoted(text.charAt(offset))}; expected the value in quotes`,
      };
    case 'UNEXPECTED_TOKEN':
      return {
        offset,
        message: `unexpected ${quoted(text.charAt(offset))}; expected the value in quotes, or no such character`,
      };
    case 'MISSING_CHAR':
    case 'MULTILINE_IMPLICIT_KEY':
    case 'IMPOSSIBLE':
      return noKey(line);
    default:
      return { offset, message: OTHERWISE };
  }
}

/** Far above the blanks between a colon and its value. */
const LOOK_BACK = 1_000;

const OTHERWISE = 'not valid YAML; check indentation, quotes and brackets of this line';

interface Line {
  readonly start: number;
  readonly text: string;
  readonly indent: number;
}

function lineAt(text: string, offset: number): Line {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', start);
  const own = text.slice(start, end === -1 ? undefined : end);
  return { start, text: own, indent: own.length - own.trimStart().length };
}

function secondColon(line: Line, offset: number): SyntaxFault | undefined {
  const rest = line.text.slice(offset - line.start);
  const at = rest.search(/:(?:\s|$)/);
  if (at === -1) return undefined;
  return {
    offset: offset + at,
    message: 'a second colon on this line; expected the value in quotes, or on a line of its own',
  };
}

/** The value of the line above is complete, and yet this line is indented as if it belonged to that value. */
function deeperLine(text: string, line: Line): SyntaxFault | undefined {
  let next = lineAt(text, line.start + line.text.length + 1);
  while (next.text.trim() === '' && next.start + next.text.length < text.length)
    next = lineAt(text, next.start + next.text.length + 1);
  if (next.indent <= line.indent || next.text.trim() === '') return undefined;
  return {
    offset: next.start + next.indent,
    message: `the indentation is ${spaces(next.indent)}, but the key above has a value already; expected ${spaces(line.indent)}`,
  };
}

/** No open block begins at this indentation. */
function wrongIndent(text: string, line: Line): SyntaxFault {
  const open: number[] = [];
  for (const before of text.slice(0, line.start).split('\n')) {
    const bare = before.trimStart();
    if (bare === '' || bare.startsWith('#')) continue;
    const indent = before.length - bare.length;
    while ((open.at(-1) ?? -1) >= indent) open.pop();
    open.push(indent);
  }
  const expected = open.map(String).join(' or ') || '0';
  return {
    offset: line.start + line.indent,
    message: `the indentation is ${spaces(line.indent)}, where no block above begins; expected ${expected}`,
  };
}

function noKey(line: Line): SyntaxFault {
  const bare = line.text.trim();
  const at = /^[^\s"'#]+:\S/.test(bare) ? '; is a space missing after the colon?' : '';
  return { offset: line.start + line.indent, message: `this line is no key with a value; expected name: value${at}` };
}

function spaces(count: number): string {
  return count === 1 ? '1 space' : `${count} spaces`;
}

function isQuote(mark: string): boolean {
  return mark === '"' || mark === "'";
}

/** The last quote or bracket before `offset` that is not closed there. Block texts (|, >) are not told apart. */
function openBefore(text: string, offset: number): { readonly mark: string; readonly offset: number } | undefined {
  const open: { mark: string; offset: number }[] = [];
  let quote: { mark: string; offset: number } | undefined;
  for (let at = 0; at < offset; at++) {
    const char = text.charAt(at);
    if (quote !== undefined) {
      if (quote.mark === '"' && char === '\\') at++;
      else if (char === quote.mark) quote = undefined;
      continue;
    }
    if (char === '#' && (at === 0 || /\s/.test(text.charAt(at - 1)))) {
      const end = text.indexOf('\n', at);
      at = end === -1 ? offset : end;
    } else if (isQuote(char) && beginsValue(text, at)) quote = { mark: char, offset: at };
    else if ((char === '[' || char === '{') && (open.length > 0 || beginsValue(text, at)))
      open.push({ mark: char, offset: at });
    else if (char === ']' || char === '}') open.pop();
  }
  return quote ?? open.at(-1);
}

/** Inside a plain value quotes and brackets mean nothing. */
function beginsValue(text: string, at: number): boolean {
  const before = text
    .slice(Math.max(0, at - LOOK_BACK), at)
    .trimEnd()
    .at(-1);
  return before === undefined || ':,[{?-'.includes(before) || text.lastIndexOf('\n', at) > text.lastIndexOf(before, at);
}
