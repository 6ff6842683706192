import { closest } from './closest.ts';
import { printable } from './printable.ts';

/**
 * A sentence about unknown names of a `kind`, without a full stop, and a question with the most similar known names.
 * The question is empty if no known name is similar.
 */
export function unknownNames(
  kind: string,
  names: readonly string[],
  known: readonly string[],
): { readonly sentence: string; readonly guess: string } {
  const shown = names.map((name) => `"${printable(name, 80)}"`).join(' or ');
  const near = names.map((name) => closest(name, known)).filter((name) => name !== undefined);
  return {
    sentence: `no ${kind} is named ${shown}`,
    guess: near.length === 0 ? '' : `Did you mean ${near.join(' ')}? `,
  };
}
