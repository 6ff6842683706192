import { type Expression, type Node, parseSync, type TemplateLiteral, Visitor } from 'oxc-parser';

/** A text for people: a string, a template literal, or a concatenation. */
export interface Message {
  readonly text: string;
  /** The offset in the source. */
  readonly offset: number;
}

/** Shorter texts are names, paths or parts of sentences. */
const FEWEST_WORDS = 4;

/** A value in a template counts as this one word. */
const VALUE = 'VALUE';

/** The texts of four words and more in a TypeScript source. Throws on a source that does not parse. */
export function messagesOf(path: string, source: string): Message[] {
  const { program, errors } = parseSync(path, source);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path}: ${error.message}`);
  const messages: Message[] = [];
  // The parts of a concatenation are not separate texts.
  const parts = new Set<Node>();
  const take = (node: Expression) => {
    if (parts.has(node)) return;
    const text = textOf(node, parts);
    if (text !== undefined && wordsIn(text) >= FEWEST_WORDS) messages.push({ text, offset: node.start });
  };
  new Visitor({ Literal: take, TemplateLiteral: take, BinaryExpression: take }).visit(program);
  return messages;
}

/**
 * Undefined for an expression that is not a text.
 *
 * @param parts receives the operands of a concatenation
 */
function textOf(node: Expression | Node, parts: Set<Node>): string | undefined {
  switch (node.type) {
    case 'Literal':
      return typeof node.value === 'string' ? node.value : undefined;
    case 'TemplateLiteral':
      return templateText(node);
    case 'BinaryExpression': {
      if (node.operator !== '+') return undefined;
      const texts = [node.left, node.right].map((side) => {
        parts.add(side);
        return textOf(side, parts);
      });
      return texts.every((text) => text === undefined) ? undefined : texts.map((text) => text ?? VALUE).join('');
    }
    default:
      return undefined;
  }
}

function templateText({ quasis }: TemplateLiteral): string {
  return quasis.map(({ value }) => value.cooked ?? value.raw).join(VALUE);
}

function wordsIn(text: string): number {
  return text.split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
}
