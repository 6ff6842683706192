import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEYS_OF_THE_UNIT } from '../../base/files/permission-hint.ts';
import { pidOf } from '../../base/process/identity.ts';
import { unknownNames } from '../../base/text/unknown-name.ts';
import type { ActorConfig, Config } from '../../config/config.ts';
import { withCredentialSources } from '../../config/credential-source.ts';
import { loadConfig } from '../../config/load.ts';
import { outsideOfUnit } from '../../config/paths.ts';
import { ConfigError, showProblem } from '../../config/problem.ts';
import { linksOf } from '../../config/way.ts';
import type { LinkFindings } from '../../machine/doctor/finding.ts';
import { Doctor, wardsFor } from '../../machine/doctor/walk.ts';
import { CommandIssuer } from '../../tunnels/credential/issuer.ts';
import { keptSource } from '../../tunnels/credential/kept-source.ts';
import type { CredentialSource } from '../../tunnels/credential/offer.ts';
import { type Prepare, prepare } from '../../tunnels/link/prepare.ts';
import type { Certificate } from '../../tunnels/ssh/certificate/certificate.ts';
import type { PrivateKey } from '../../tunnels/ssh/private-key.ts';
import { findPresence } from '../presence/find.ts';
import { linkText, sumText } from '../text/doctor.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { failureOf } from './json-failure.ts';

export interface DoctorOptions {
  /** A host or a tunnel; undefined: everything. */
  readonly name: string | undefined;
  /** Path of the tunnel YAML. */
  readonly config: string;
  /** Run `cert_command` for actors without a usable certificate, and discard the result. */
  readonly tryCertCommand: boolean;
  /** Check who holds the listen ports. */
  readonly listen: boolean;
  readonly json: boolean;
}

/**
 * `fleet-mesh doctor [HOST|NAME]`: checks every link from DNS to the target, as the current user and without the
 * daemon. Logs in once for each (host, actor). Changes nothing.
 *
 * @param keys where the system unit loads its credentials from
 */
export async function doctor(
  options: DoctorOptions,
  io: CommandIo & { readonly signal: AbortSignal; readonly env: NodeJS.ProcessEnv },
  keys = KEYS_OF_THE_UNIT,
): Promise<ExitCode> {
  let config: Config;
  try {
    config = withCredentialSources(await loadConfig(options.config, outsideOfUnit(io.env, options.config)), keys);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.problems.map(showProblem);
    const failure = failureOf(EXIT.configuration, `${options.config} is not valid`, 'See `fleet-mesh check`.', lines);
    if (options.json) io.out(`${JSON.stringify({ ok: false, error: failure, problems: error.problems }, null, 2)}\n`);
    else io.err(`${lines.join('\n')}\n`);
    return EXIT.configuration;
  }
  return (await examine(config, options, io)).code;
}

export interface Examined {
  readonly code: ExitCode;
  /** As `--json` prints. */
  readonly report: { readonly ok: boolean; readonly links: readonly LinkFindings[] };
}

/**
 * Checks the links of a configuration, which may be in no file yet. `options.config` then is the file to come. Each link is
 * printed when its checks are over.
 */
export async function examine(
  config: Config,
  options: DoctorOptions,
  io: CommandIo & { readonly signal: AbortSignal; readonly env: NodeJS.ProcessEnv },
): Promise<Examined> {
  const wards = wardsFor(config, options.name);
  if (wards === undefined) {
    io.err(`fleet-mesh: ${unknownName(options.name ?? '', config)}\n`);
    return { code: EXIT.noSuchTunnel, report: { ok: false, links: [] } };
  }
  const links: LinkFindings[] = [];
  const running = await findPresence(options.config, io.env);
  const ports = options.listen ? { ownPid: running && pidOf(running.owner) } : undefined;
  await new Doctor(config, lookFor(config, options.tryCertCommand, io), io.signal, ports).examine(wards, (findings) => {
    links.push(findings);
    if (!options.json) io.out(linkText(findings));
  });
  const ok = links.every(({ findings }) => findings.every(({ verdict }) => verdict !== 'failed'));
  const report = { ok, links };
  io.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : sumText(links));
  return { code: ok ? EXIT.ok : EXIT.failed, report };
}

/** Prepares logins with the keys and the stored certificates of the configuration. One credential for each actor. */
export function lookFor(
  config: Config,
  tryCommand: boolean,
  io: { readonly signal: AbortSignal; readonly env: NodeJS.ProcessEnv },
): Prepare {
  const sources = new Map<string, CredentialSource>();
  // A credential of systemd has other modes than a key file.
  const { CREDENTIALS_DIRECTORY } = outsideOfUnit(io.env);
  const env = { ...io.env, ...(CREDENTIALS_DIRECTORY !== undefined && { CREDENTIALS_DIRECTORY }) };
  return (host, actor, need) => {
    const issuer = new CommandIssuer(config.stateDir, actor.name, io.env);
    const trial = tryCommand ? (key: PrivateKey) => tryCertCommand(actor, key, io.env, io.signal) : undefined;
    const source = sources.get(actor.name) ?? keptSource(actor, issuer, env, trial);
    sources.set(actor.name, source);
    return prepare(host, source, need);
  };
}

/** Leaves the daemon's state directory alone: it may belong to another user. */
async function tryCertCommand(
  actor: ActorConfig,
  key: PrivateKey,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Certificate> {
  const passing = await mkdtemp(join(tmpdir(), 'fleet-mesh-doctor-'));
  try {
    return (await new CommandIssuer(passing, actor.name, env).issue(actor, key, signal)).certificate;
  } finally {
    await rm(passing, { recursive: true, force: true });
  }
}

function unknownName(name: string, config: Config): string {
  const hosts = [...linksOf(config).values()].map(({ host }) => host);
  const known = [...new Set([...config.tunnels.keys(), ...hosts])];
  const { sentence, guess } = unknownNames('tunnel or host of a tunnel', [name], known);
  return `${sentence}. ${guess}Names: ${known.join(', ') || 'none is configured'}`;
}
