import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { errnoOf, messageOf } from '../../base/errors.ts';
import { runBounded } from '../../base/process/run-bounded.ts';
import { printable } from '../../base/text/printable.ts';
import { loadConfig } from '../../config/load.ts';
import { outlineOf } from '../../config/outline.ts';
import { absolutePath, outsideOfUnit, placesFor } from '../../config/paths.ts';
import { ConfigError } from '../../config/problem.ts';
import { readSource } from '../../config/read-source.ts';
import { readYaml } from '../../config/yaml-document.ts';
import { writeArchive } from '../../machine/bundle/archive.ts';
import { redactConfig, withoutSecrets } from '../../machine/bundle/redact-config.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { type DoctorOptions, doctor } from './doctor.ts';
import { fetchText } from './fetch-status.ts';
import { findEndpoint } from './find-endpoint.ts';
import { failureOf } from './json-failure.ts';
import { where } from './where.ts';

export interface BundleOptions extends DoctorOptions {
  /** The archive to make. */
  readonly bundle: string;
  readonly version: string;
}

type BundleIo = CommandIo & { readonly signal: AbortSignal; readonly env: NodeJS.ProcessEnv };

const DIRECTORY = 'fleet-mesh-report';

/** The routes of the daemon, and the file for each answer. */
const ANSWERS: readonly (readonly [route: string, file: string])[] = [
  ['/status', 'status.json'],
  ['/metrics', 'metrics.txt'],
  ['/events', 'events.json'],
  ['/drain', 'drain.json'],
];

/** No `Environment`: it may have secrets. */
const UNIT_PROPERTIES =
  'Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,ActiveEnterTimestamp,FragmentPath,DropInPaths,StatusText,MemoryCurrent,TasksCurrent,LimitNOFILE';

/**
 * `fleet-mesh doctor --bundle FILE`: what a bug report needs, in one archive. A part that cannot be had says why in its
 * file. Secrets of the configuration are in no file, wherever they would come from.
 */
export async function bundle(options: BundleOptions, io: BundleIo): Promise<ExitCode> {
  const { config, secrets } = await configFile(options.config, io.env);
  const parts = new Map<string, string>([
    ['README.txt', readme(options)],
    ['config.json', config],
    ['doctor.json', await doctorFile(options, io)],
    ['versions.txt', await versions(options.version, io)],
    ['unit.txt', await unit(io)],
    ...(await answers(options, io)),
  ]);
  const files = new Map([...parts].map(([name, text]) => [name, withoutSecrets(text, secrets)]));
  try {
    await writeArchive(options.bundle, DIRECTORY, files, io.env, io.signal);
  } catch (error) {
    if (io.signal.aborted) return EXIT.failed;
    const reason = errnoOf(error) === 'EEXIST' ? 'the file exists already' : messageOf(error);
    const message = `${printable(options.bundle)} was not made: ${printable(reason)}`;
    const failure = failureOf(EXIT.failed, message);
    if (options.json)
      io.out(`${JSON.stringify({ ok: false, path: options.bundle, reason, error: failure }, null, 2)}\n`);
    else io.err(`fleet-mesh: ${message}\n`);
    return EXIT.failed;
  }
  if (options.json)
    io.out(`${JSON.stringify({ ok: true, path: options.bundle, files: [...files.keys()] }, null, 2)}\n`);
  else {
    io.out(`${printable(options.bundle)} has ${[...files.keys()].join(', ')}.\n`);
    io.out('Secrets of the configuration are left out. Names, addresses and notes are not: look before you send it.\n');
  }
  return EXIT.ok;
}

function readme({ version }: BundleOptions): string {
  return `A report of fleet-mesh ${version}, made by \`fleet-mesh doctor --bundle\` at ${new Date().toISOString()}.
config.json   the configuration as a value, without comments; secrets are [redacted]
doctor.json   every step from DNS to the target, looked at when the report was made
versions.txt  the program and the system
unit.txt      the units of systemd
status.json, metrics.txt, events.json, drain.json   the answers of the daemon, or why there was none
`;
}

async function configFile(path: string, env: NodeJS.ProcessEnv): Promise<{ config: string; secrets: string[] }> {
  const source = await readSource(path);
  if (typeof source === 'string') return { config: `${path} ${source}\n`, secrets: [] };
  const { data, mistakes } = readYaml(source.toString('utf8'));
  // The text of a mistake may quote a secret.
  const places = mistakes.map(({ line, column }) => `${path}:${line}:${column}\n`);
  if (data === undefined) return { config: `not valid YAML; mistakes at:\n${places.join('')}`, secrets: [] };
  const { shown, secrets } = redactConfig(data);
  return {
    config: `${JSON.stringify(shown, null, 2)}\n`,
    secrets: [...secrets, ...(await secretFiles(data, path, env))],
  };
}

/** The contents of the secret files, as far as this user can read them: to look for them, not to show them. */
async function secretFiles(data: unknown, path: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const { notify = [], actors = {} } = outlineOf(data);
  const written = [
    ...notify.map(({ secret_file: file }) => file),
    ...Object.values(actors).map((actor) => actor?.passphrase_file),
  ];
  const places = placesFor(path, outsideOfUnit(env));
  const files = written.flatMap((file) => absolutePath(file, places) ?? []);
  const texts = await Promise.all(files.map(readSource));
  return texts.flatMap((text) => (typeof text === 'string' ? [] : [text.toString('utf8').trim()]));
}

async function doctorFile(options: BundleOptions, io: BundleIo): Promise<string> {
  try {
    await loadConfig(options.config, outsideOfUnit(io.env));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The messages quote values.
    const places = error.problems.map(({ line, column, path }) => ({ line, column, path }));
    return `${JSON.stringify({ ok: false, problems: places }, null, 2)}\n`;
  }
  const parts: string[] = [];
  await doctor({ ...options, json: true }, { ...io, out: (text) => parts.push(text), err: (text) => parts.push(text) });
  return parts.join('');
}

async function answers(options: BundleOptions, io: BundleIo): Promise<[string, string][]> {
  const endpoint = await findEndpoint({ config: options.config, ...where }, () => {});
  return Promise.all(
    ANSWERS.map(async ([route, file]): Promise<[string, string]> => {
      if (endpoint === undefined) return [file, 'no endpoint is known\n'];
      return [file, await fetchText(endpoint, route, io.signal).catch((error) => `no answer: ${messageOf(error)}\n`)];
    }),
  );
}

async function versions(version: string, io: BundleIo): Promise<string> {
  const { node = '', openssl = '' } = process.versions;
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const [, name = 'unknown'] = /^PRETTY_NAME="?([^"\n]*)/m.exec(system) ?? [];
  const lines = [
    `fleet-mesh ${version}`,
    `node ${node}, openssl ${openssl}`,
    `${name}, Linux ${release()}, ${process.arch}`,
  ];
  return `${lines.join('\n')}\nssh: ${await outputOf(['ssh', '-V'], io)}\nsystemd: ${await outputOf(['systemctl', '--version'], io)}\n`;
}

async function unit(io: BundleIo): Promise<string> {
  const show = ['show', 'fleet-mesh.service', `--property=${UNIT_PROPERTIES}`];
  const system = await outputOf(['systemctl', ...show], io);
  const user = await outputOf(['systemctl', '--user', ...show], io);
  return `[system]\n${system}\n\n[user]\n${user}\n`;
}

/** What a command says on either output; never rejects, except after Ctrl-C. */
async function outputOf(argv: readonly string[], { env, signal }: BundleIo): Promise<string> {
  const limits = { timeoutMs: 5_000, stdoutLimit: 64 * 1024, stderrLimit: 64 * 1024 };
  const outcome = await runBounded({ argv, env: { ...env, LC_ALL: 'C' }, ...limits }, signal);
  if (outcome.kind === 'not_started') return `not available (${outcome.error.message})`;
  if (outcome.kind !== 'exited') return `no answer (${outcome.kind})`;
  return `${outcome.stdout.toString('utf8')}${outcome.stderr.toString('utf8')}`.trim();
}
