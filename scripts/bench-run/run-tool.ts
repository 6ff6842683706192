import { requireProgram } from '../../tests/support/machine/find-program.ts';
import { spawnOwned } from '../../tests/support/machine/owned-process.ts';

/** The output of a load tool, which must end within `seconds`. Throws when the tool fails. */
export async function runTool(program: string, args: readonly string[], seconds: number): Promise<string> {
  await using process = spawnOwned(requireProgram(program), args);
  const timer = setTimeout(() => process.child.kill('SIGKILL'), seconds * 1000);
  const exit = await process.exit.finally(() => clearTimeout(timer));
  if (exit.code !== 0)
    throw new Error(`${program} ended with ${exit.code ?? exit.signal}: ${process.stderr()}${process.stdout()}`.trim());
  return process.stdout();
}

/** The first number that the pattern captures. Throws when the output has none. */
export function figure(output: string, pattern: RegExp): number {
  const found = Number(pattern.exec(output)?.[1]);
  if (!Number.isFinite(found)) throw new Error(`${pattern} does not match the output:\n${output}`);
  return found;
}

const UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 };

/** A duration as wrk writes it (`38.40ms`), in microseconds. */
export function microseconds(output: string, pattern: RegExp): number {
  const [, value, unit = ''] = pattern.exec(output) ?? [];
  const scale = UNITS[unit];
  if (value === undefined || scale === undefined) throw new Error(`${pattern} does not match the output:\n${output}`);
  return Number(value) * scale;
}
