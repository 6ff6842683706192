import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { findingsOf } from './issues.ts';
import { placesLookedAt } from './paths.ts';
import { ConfigError, type Finding, formatPath, type Problem } from './problem.ts';
import { readSource } from './read-source.ts';
import { readYaml } from './yaml-document.ts';

/** The longest useful list of problems. A file with more is probably no configuration. */
const MOST_LISTED = 200;

/** One kind of YAML file: its schema, and its checks across fields. */
export interface DocumentKind<Parsed> {
  readonly schema: z.ZodType<Parsed>;
  readonly jsonSchema: () => z.core.JSONSchema.BaseSchema;
  /** The expected top-level keys, for the message about an empty file. */
  readonly parts: string;
  /** Checks all well-typed parts, so that one mistake does not hide another. */
  readonly checkAcross: (data: unknown) => readonly Finding[];
}

export interface ParsedDocument<Parsed> {
  readonly parsed: Parsed;
  /** SHA-256 of the file, in hex. */
  readonly sha256: string;
  /** Adds line and column to a finding of a later check. */
  readonly locate: (finding: Finding) => Problem;
}

/** The bytes of the file at `path`; rejects with a {@link ConfigError}. */
export async function readDocument(path: string): Promise<Buffer> {
  const source = await readSource(path);
  if (typeof source !== 'string') return source;
  const isMissing = source.startsWith('does not exist');
  throw wholeFileError(path, isMissing ? `${source}${placesLookedAt(path, process.env)}` : source);
}

/** Parses YAML text of one kind, or throws a {@link ConfigError} with all problems. */
export function parseDocument<Parsed>(bytes: Buffer, path: string, kind: DocumentKind<Parsed>): ParsedDocument<Parsed> {
  if (!isUtf8(bytes)) throw new ConfigError([notUtf8(bytes, path)]);
  const yaml = readYaml(new TextDecoder().decode(bytes));
  const problems: Problem[] = yaml.mistakes.map(({ path: at, ...mistake }) => ({
    file: path,
    ...mistake,
    path: formatPath(at),
  }));
  if (yaml.data === undefined) throw configError(problems);
  if (yaml.data === null) throw wholeFileError(path, `is empty; expected ${kind.parts}`);

  const locate = ({ path: at, message, at: pointsAt }: Finding): Problem => ({
    file: path,
    ...yaml.locate(at, pointsAt),
    path: formatPath(at),
    message,
  });
  const parsed = kind.schema.safeParse(yaml.data);
  const findings = [
    ...(parsed.success ? [] : findingsOf(parsed.error.issues, yaml.data, kind.jsonSchema())),
    ...kind.checkAcross(yaml.data),
  ];
  problems.push(...findings.slice(0, MOST_LISTED).map(locate));
  const unlisted = findings.length - MOST_LISTED;
  if (unlisted > 0)
    problems.push(wholeFile(path, `${unlisted} more problems are not shown; fix the listed ones first`));
  if (!parsed.success || problems.length > 0) throw configError(problems);
  return { parsed: parsed.data, sha256: createHash('sha256').update(bytes).digest('hex'), locate };
}

/** Sorts problems by line and column, without duplicates. */
export function inFileOrder(problems: readonly Problem[]): Problem[] {
  const first = new Map(problems.map((problem) => [`${problem.path}\n${problem.message}\n${problem.line}`, problem]));
  return [...first.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function configError(problems: readonly Problem[]): ConfigError {
  return new ConfigError(inFileOrder(problems));
}

/** At the first byte that is no UTF-8. */
function notUtf8(bytes: Buffer, file: string): Problem {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16) return wholeFile(file, 'is UTF-16 text; expected a YAML file in UTF-8');
  const valid = bytes.toString('utf8').split('\uFFFD', 1)[0] ?? '';
  const before = valid.split('\n');
  const [line, column] = [before.length, (before.at(-1) ?? '').length + 1];
  return { file, line, column, path: '', message: 'is not UTF-8 text; expected a YAML file in UTF-8' };
}

function wholeFileError(file: string, message: string): ConfigError {
  return new ConfigError([wholeFile(file, message)]);
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, path: '', message };
}
