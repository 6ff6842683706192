import { closest } from '../closest.ts';
import { printable } from '../printable.ts';
import { ControlRefused } from './protocol.ts';

export function unknownTunnels(names: readonly string[], known: readonly string[]): ControlRefused {
  return unknown('unknown_tunnel', 'tunnel', names, known);
}

export function unknownActor(name: string, known: readonly string[]): ControlRefused {
  return unknown('unknown_actor', 'actor', [name], known);
}

function unknown(
  code: 'unknown_tunnel' | 'unknown_actor',
  kind: string,
  names: readonly string[],
  known: readonly string[],
): ControlRefused {
  const shown = names.map((name) => `"${printable(name, 80)}"`).join(' or ');
  const guesses = names.map((name) => closest(name, known)).filter((guess) => guess !== undefined);
  const guess = guesses.length === 0 ? '' : `Did you mean ${guesses.join(' ')}? `;
  return new ControlRefused(code, `no ${kind} is named ${shown}; nothing was changed`, {
    hint: `${guess}The configuration in force has ${known.join(', ') || `no ${kind}`}.`,
  });
}
