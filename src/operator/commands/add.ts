import { existsSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { type ErrorCode, messageOf, TunnelError } from '../../base/errors.ts';
import { NotReplaced, replaceFile } from '../../base/files/replace-file.ts';
import { homeOf } from '../../base/home.ts';
import { printable, visible } from '../../base/text/printable.ts';
import { shellWord } from '../../config/command-line.ts';
import type { Config } from '../../config/config.ts';
import { withCredentialSources } from '../../config/credential-source.ts';
import { readDocument } from '../../config/document.ts';
import { DURATION_EXPECTED, parseDuration } from '../../config/duration.ts';
import { insertEntry } from '../../config/insert-entry.ts';
import { parseConfig } from '../../config/load.ts';
import { namesCredential, outsideOfUnit } from '../../config/paths.ts';
import { ConfigError, showProblem } from '../../config/problem.ts';
import { NotEditable } from '../../config/text-edit.ts';
import { readYaml } from '../../config/yaml-document.ts';
import { type Additions, type AddRequest, BadRequest, draftTunnel, NameTaken } from '../../machine/add/draft.ts';
import { meetHosts, type Stranger } from '../../machine/add/meet-hosts.ts';
import { account } from './account.ts';
import { putInForce } from './add-in-force.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';
import { ask, canAsk } from './confirm.ts';
import { type Examined, examine, lookFor } from './doctor.ts';
import { createFile, fileToChange, firstText, isSystemFile } from './first-file.ts';
import { failureOf } from './json-failure.ts';

export interface AddOptions extends Omit<AddRequest, 'key'> {
  readonly config: string;
  /** Whether the user named the file. */
  readonly isChosen: boolean;
  /** As written after -i. */
  readonly identity: string | undefined;
  /** Accept the key of an unknown host without a question. A changed key is never accepted. */
  readonly acceptNew: boolean;
  readonly tryCertCommand: boolean;
  readonly socket: string | undefined;
  /** How long to wait for `up`, as written. */
  readonly timeout: string;
  readonly json: boolean;
}

export type AddIo = CommandIo & { readonly signal: AbortSignal; readonly env: NodeJS.ProcessEnv };

/** The end of the command before the tunnel is in the file; the message is one sentence. */
class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: ExitCode;
  readonly hint: string;

  constructor(code: ExitCode, message: string, hint = '') {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** The file before and after. */
interface Change {
  readonly path: string;
  /** Undefined: there is no file yet. */
  readonly before: Buffer | undefined;
  readonly text: string;
  readonly config: Config;
  readonly additions: Additions;
}

/** A host that is not the expected one: its tunnel does not go into the file. */
const STRANGE: ReadonlySet<string> = new Set<ErrorCode>(['host_key_unknown', 'host_key_changed', 'host_cert_invalid']);

/**
 * `fleet-mesh add NAME -L SPEC [user@]host[:port]`: has the host key confirmed, checks the way, writes the tunnel into the
 * YAML, reloads the daemon, and waits until the tunnel is up. Until every host has proved its key, the YAML is unchanged.
 * The same command again goes on where a failed one has ended.
 */
export async function add(options: AddOptions, io: AddIo): Promise<ExitCode> {
  const say = options.json ? () => {} : (line: string) => io.out(`${printable(line, 4_000)}\n`);
  const met: Stranger[] = [];
  try {
    // A mistake must show before anything is written, also without a daemon.
    if (parseDuration(options.timeout) === undefined)
      throw new Refused(EXIT.usage, `expected --timeout with ${DURATION_EXPECTED}, not "${options.timeout}"`);
    const change = await prepareChange(options, io);
    const { path, additions } = change;
    await meet(change, options, io, (stranger) => {
      met.push(stranger);
      say(`the key ${stranger.fingerprint} of ${stranger.address} is in ${stranger.knownHosts} now`);
    });
    const { name, host, actor } = additions.tunnel;
    const examined = await examineWay(change, options, io);
    const isNew = additions.entries.length > 0;
    const isStrange = examined.report.links.some(({ findings }) =>
      findings.some(({ error }) => error !== undefined && STRANGE.has(error.code)),
    );
    if (!isStrange) {
      await write(change);
      say(`tunnel ${name} ${isNew ? 'is in' : 'was in'} ${path} (host ${host}, actor ${actor})`);
    }
    const result = {
      tunnel: name,
      config: path,
      written: !isStrange || !isNew,
      host_keys: met.map(({ address, port, fingerprint }) => ({ address, port, fingerprint })),
      doctor: examined.report,
    };
    if (examined.code !== EXIT.ok) {
      const strange = `the host is not the expected one, so the tunnel was not added. ${unchanged(met)}`;
      const where = result.written ? 'the tunnel is in the file, but not in force.' : strange;
      const hint = 'Fix the cause, then run the same command again.';
      io.err(options.json ? '' : `fleet-mesh: ${where} ${hint}\n`);
      if (options.json) print(io, { ok: false, ...result, daemon: null, state: null });
      return examined.code;
    }
    const forced = await putInForce({ ...options, config: path, name }, say, io);
    if (options.json) print(io, { ok: forced.code === EXIT.ok, ...result, ...forced.report });
    return forced.code;
  } catch (error) {
    if (io.signal.aborted) return EXIT.failed;
    return report(error, met, options, io);
  }
}

async function prepareChange(options: AddOptions, io: AddIo): Promise<Change> {
  const path = await fileToChange(options.config, options.isChosen, io.env);
  const before = existsSync(path) ? await readDocument(path) : undefined;
  const old = before ?? Buffer.from(firstText());
  const env = outsideOfUnit(io.env, path);
  const config = parseConfig(old, path, env);
  const home = homeOf(io.env);
  const usualKey = ['id_ed25519', 'id_ecdsa', 'id_rsa'].find((name) => existsSync(join(home, '.ssh', name)));
  const context = {
    user: account({}),
    home,
    usualKey: usualKey === undefined ? undefined : `~/.ssh/${usualKey}`,
    // The daemon of the system unit has another home.
    knownHosts: isSystemFile(path) ? 'known_hosts' : undefined,
  };
  const request = { ...options, key: keyPath(options.identity, home) };
  const additions = draftTunnel(request, config, readYaml(old.toString('utf8')).data, context);
  const text = additions.entries.reduce(insertEntry, old.toString('utf8'));
  try {
    return { path, before, text, config: parseConfig(Buffer.from(text), path, env), additions };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const reasons = error.problems.map(({ path: at, message }) => `${at}: ${message}`);
    throw new Refused(EXIT.usage, reasons.join('; '));
  }
}

/** As it goes into the file: absolute, or below `~`. */
function keyPath(identity: string | undefined, home: string): string | undefined {
  if (identity === undefined || identity === 'agent' || namesCredential(identity)) return identity;
  const path = identity.startsWith('~/') ? join(home, identity.slice(2)) : resolve(identity);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new Refused(EXIT.usage, `the key ${identity} does not exist`);
  if (!found.isFile()) throw new Refused(EXIT.usage, `${identity} is no file; expected a private key`);
  if (path.endsWith('.pub')) throw new Refused(EXIT.usage, `${identity} is a public key; expected the private key`);
  const below = relative(home, path);
  return below.startsWith('..') ? path : `~/${below}`;
}

function meet(change: Change, options: AddOptions, io: AddIo, onMet: (stranger: Stranger) => void): Promise<void> {
  const config = withCredentialSources(change.config);
  const prepare = lookFor(config, options.tryCertCommand, io);
  const accept = async (stranger: Stranger) => {
    const { address, port, knownHosts, keyType, fingerprint } = stranger;
    if (options.acceptNew) return;
    const presented = `${address} port ${port} presents ${keyType} ${fingerprint}, which is not in ${knownHosts}`;
    const kind = ['rsa', 'ecdsa'].find((each) => keyType.includes(each)) ?? 'ed25519';
    const compare = `Compare with \`ssh-keygen -lf /etc/ssh/ssh_host_${kind}_key.pub\` on the host's console.`;
    if (!canAsk()) {
      const hint = `${compare} If equal, run the command on a terminal, or with --accept-new.`;
      throw new Refused(EXIT.failed, `${presented}, and nobody can be asked without a terminal`, hint);
    }
    io.err(`${printable(presented)}.\n${compare}\n`);
    const answer = (await ask('Is this the key? Type yes, or paste the fingerprint: ', io.signal))?.trim();
    if (answer === 'yes' || answer === fingerprint) return;
    throw new Refused(EXIT.failed, 'the host key was not accepted');
  };
  return meetHosts(config, change.additions.tunnel, { prepare, accept, onMet }, io.signal);
}

async function write({ path, before, text, additions }: Change): Promise<void> {
  if (before !== undefined && additions.entries.length === 0) return;
  try {
    await (before === undefined ? createFile(path, text) : replaceFile(path, before, Buffer.from(text)));
  } catch (error) {
    if (!(error instanceof NotReplaced) && !(error instanceof Error && 'code' in error)) throw error;
    throw new Refused(EXIT.failed, `${path} cannot be written: ${messageOf(error)}`);
  }
}

/** Runs `doctor` on the new tunnel; its lines go to the output, or into the report alone. */
function examineWay({ path, config }: Change, options: AddOptions, io: AddIo): Promise<Examined> {
  const { name, json, tryCertCommand } = options;
  const asked = { name, config: path, json, tryCertCommand, listen: true };
  return examine(withCredentialSources(config), asked, json ? { ...io, out: () => {} } : io);
}

function report(error: unknown, met: readonly Stranger[], { config, json }: AddOptions, io: AddIo): ExitCode {
  const { code, message, hint: fix } = explain(error, config);
  const hint = `${fix} ${unchanged(met)}`.trim();
  if (json) print(io, { ok: false, error: failureOf(code, message, hint) });
  // Mistakes in the file have a line each, some with a caret below.
  else
    io.err(
      `fleet-mesh: ${error instanceof ConfigError ? visible(message) : printable(message, 4_000)}\n${printable(hint, 4_000)}\n`,
    );
  return code;
}

/** What the command has left as it was. */
function unchanged(met: readonly Stranger[]): string {
  return met.length === 0 ? 'Nothing was changed.' : 'The tunnel YAML is unchanged.';
}

function explain(error: unknown, config: string): Pick<Refused, 'code' | 'message' | 'hint'> {
  if (error instanceof Refused) return error;
  if (error instanceof BadRequest) return new Refused(EXIT.usage, error.message);
  if (error instanceof NameTaken) return new Refused(EXIT.failed, error.message);
  if (error instanceof NotEditable)
    return new Refused(EXIT.failed, `the file cannot be edited: ${error.message}`, 'Add the tunnel by hand.');
  if (error instanceof ConfigError) {
    const hint = `Fix ${shellWord(config)} first (see \`fleet-mesh check\`).`;
    return new Refused(EXIT.configuration, error.problems.map(showProblem).join('\n'), hint);
  }
  if (error instanceof TunnelError) {
    const alias = error.code === 'dns_failed' ? ` An alias of ssh_config needs \`fleet-mesh import ssh-config\`.` : '';
    return new Refused(EXIT.failed, `${error.message} [${error.code}]`, `${error.hint}${alias}`);
  }
  throw error;
}

function print(io: CommandIo, value: object): void {
  io.out(`${JSON.stringify(value, null, 2)}\n`);
}
