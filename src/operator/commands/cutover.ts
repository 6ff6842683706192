import { printable } from '../../base/text/printable.ts';
import { type CutoverResult, cutoverResult } from '../control/protocol.ts';
import { EXIT, type ExitCode } from './command.ts';
import { type ControlIo, type ControlOptions, carryOut } from './control.ts';

/** `fleet-mesh cutover NAME [--dry-run]`: moves the local port of a tunnel to its successor, and prints each phase. */
export function cutover(
  name: string,
  options: ControlOptions & { readonly dryRun: boolean },
  io: ControlIo,
): Promise<ExitCode> {
  const request = { command: 'cutover', name, dry_run: options.dryRun } as const;
  const done = ({ outcome }: CutoverResult) => ['committed', 'unchanged', 'possible'].includes(outcome);
  return carryOut(
    options,
    io,
    request,
    cutoverResult,
    (result) => describe(name, result),
    (result) => (done(result) ? EXIT.ok : EXIT.failed),
  );
}

/** `fleet-mesh rollback NAME`: reverses a cut-over. */
export function rollback(name: string, options: ControlOptions, io: ControlIo): Promise<ExitCode> {
  return carryOut(options, io, { command: 'rollback', name }, cutoverResult, () => {
    return `${printable(name)}: new connections go through the tunnel`;
  });
}

function describe(name: string, { outcome, reason, steps, checks }: CutoverResult): string {
  const rehearsed = steps.length > 0;
  const shown = rehearsed || outcome === 'blocked' ? checks : [];
  return [
    ...steps.map((step, index) => `${index + 1}. ${printable(step)}`),
    ...(shown.length > 0 ? ['Now:'] : []),
    ...shown.flatMap(({ ok, message, details }) => [
      `  ${ok ? 'ok  ' : 'FAIL'}  ${printable(message)}`,
      ...details.map((detail) => `          ${printable(detail)}`),
    ]),
    `${printable(name)}: ${summary(name, outcome, reason)}`,
  ].join('\n');
}

function summary(name: string, outcome: CutoverResult['outcome'], reason: string | null): string {
  switch (outcome) {
    case 'committed':
      return `cut over to its successor; to go back, run \`fleet-mesh rollback ${printable(name)}\``;
    case 'unchanged':
      return 'already cut over to its successor';
    case 'possible':
      return 'dry run: cut-over possible, nothing changed';
    case 'blocked':
      return 'cut-over blocked, nothing changed';
    case 'rolled_back':
      return `rolled back: new connections go through the tunnel${reason === null ? '' : `: ${printable(reason)}`}`;
  }
}
