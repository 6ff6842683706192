import { closest } from './closest.ts';
import { printable } from './printable.ts';

/**
 * The sentence about names that nothing of `kind` has, without a full stop, and the question after the nearest known names:
 * empty when none is near.
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
