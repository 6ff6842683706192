import { Composer, type Document, type LineCounter, Parser, YAMLParseError } from 'yaml';

/** Real configurations are nested six deep. The limit protects every walk over the tree from a stack overflow. */
export const DEEPEST = 40;

/** Said of a collection beyond the limit. */
export const TOO_DEEP = `nested more than ${DEEPEST} levels deep`;

/** Flow collections, mappings and scalars of one level share a few places on the stack of the parser. */
const MOST_OPEN = 5 * DEEPEST;

/** A text whose collections are nested so deep that they are not read; `offset` is where the limit is passed. */
export class NestedTooDeep extends Error {
  override readonly name = 'NestedTooDeep';

  readonly offset: number;

  constructor(offset: number) {
    super(TOO_DEEP);
    this.offset = offset;
  }
}

/** Its parent keeps a stack of its own; what follows it calls itself for each level. */
class BoundedParser extends Parser {
  override *next(source: string): ReturnType<Parser['next']> {
    yield* super.next(source);
    if (this.stack.length > MOST_OPEN) throw new NestedTooDeep(this.offset);
  }
}

/**
 * Reads YAML 1.2 text without a recursion that the text controls. Near the end of the stack V8 may end the whole process:
 * a regular expression that is compiled there cannot be caught. Throws {@link NestedTooDeep}.
 */
export function readTree(text: string, lines?: LineCounter): Document.Parsed {
  const parser = new BoundedParser(lines?.addNewLine);
  const composer = new Composer({
    // The schema is fixed, so that a %YAML 1.1 directive cannot turn `yes` into a boolean or bring `<<` merges.
    schema: 'core',
    merge: false,
    // The search of the library is quadratic: see duplicateKeys.
    uniqueKeys: false,
    logLevel: 'error',
  });
  const [doc, second] = composer.compose(parser.parse(text), true, text.length);
  if (doc === undefined) throw new Error('the YAML library has made no document');
  if (second !== undefined)
    doc.errors.push(new YAMLParseError([second.range[0], second.range[1]], 'MULTIPLE_DOCS', 'two documents'));
  return doc;
}
