import { spawnSync } from 'node:child_process';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { findProgram } from '../../tests/support/machine/find-program.ts';

/** The machine and the programs of a run, one fact a line. */
export function describeMachine(): string[] {
  const [cpu] = cpus();
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown processor'} (${arch()}), ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}, Node ${process.versions.node}, ${firstLine('ssh', ['-V'])}`,
    `Load average at the start: ${loadavg()[0]?.toFixed(2)}`,
  ];
}

function firstLine(program: string, args: readonly string[]): string {
  const path = findProgram(program);
  if (path === undefined) return `no ${program}`;
  const { stdout, stderr } = spawnSync(path, args, { encoding: 'utf8', timeout: 10_000 });
  return `${stdout}${stderr}`.split('\n')[0]?.split(',')[0] ?? program;
}
