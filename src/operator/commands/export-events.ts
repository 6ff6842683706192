import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { outsideOfUnit } from '../../config/paths.ts';
import { exportLog, type Manifest } from '../../retirement/evidence/export.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { failureOf } from './json-failure.ts';

export interface ExportEventsOptions {
  readonly config: string;
  /** The directory of the log; by default the `state_dir` that `config` names. */
  readonly dir?: string | undefined;
  /** The directory to make; by default one in the current directory, named by node and time. */
  readonly out?: string | undefined;
  readonly json: boolean;
}

/**
 * `fleet-mesh events --export`: files all lines of the log with what checks them. Exit code 0: the log is intact. 1: filed, but
 * damaged. 2: not filed.
 */
export async function exportEvents(
  { config: path, dir, out, json }: ExportEventsOptions,
  io: CommandIo & { readonly env: NodeJS.ProcessEnv; readonly version: string; readonly now?: Date },
): Promise<ExitCode> {
  const { now = new Date(), version } = io;
  let found: Manifest;
  let where = out;
  try {
    const config =
      dir === undefined || out === undefined ? await loadConfig(path, outsideOfUnit(io.env, path)) : undefined;
    const directory = dir ?? stateDirOf(config);
    where ??= nameOf(config, now);
    found = await exportLog({ directory, out: where, version, now });
  } catch (error) {
    const message = messageOf(error);
    const sentence = `cannot export the evidence: ${printable(message)}`;
    const hint = "Run as the daemon's user. Name the log with --dir, and a new directory with --out.";
    if (json) io.out(`${JSON.stringify({ ok: null, error: failureOf(EXIT.unknown, sentence, hint) }, null, 2)}\n`);
    else io.err(`fleet-mesh: ${sentence}\n${hint}\n`);
    return EXIT.unknown;
  }
  const ok = found.problems.length === 0;
  if (json) io.out(`${JSON.stringify({ ok, out: where, manifest: found }, null, 2)}\n`);
  else io.out(text(found, where));
  return ok ? EXIT.ok : EXIT.failed;
}

function stateDirOf(config: Config | undefined): string {
  if (!config) throw new Error('no directory is given');
  return config.stateDir;
}

function nameOf(config: Config | undefined, now: Date): string {
  const node = config?.node ?? 'node';
  return join('.', `evidence-${node}-${now.toISOString().replace(/[-:]|\.\d+/g, '')}`);
}

function text({ entries, last, problems }: Manifest, out: string): string {
  const lines = [
    `${printable(out)}: ${entries} entries${last ? `; the last one is ${last.seq}, SHA-256 ${last.sha256}` : ''}`,
    ...problems.map(({ file, line, message }) => `${printable(file)}:${line} ${printable(message)}`),
    problems.length === 0 ? `check with: sh ${printable(join(out, 'verify.sh'))}` : 'the log is not intact',
  ];
  return `${lines.join('\n')}\n`;
}
