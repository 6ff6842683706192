import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { findingsOf } from './issues.ts';
import { ConfigError, type Finding, formatPath, type Problem } from './problem.ts';
import { readSource } from './read-source.ts';
import { readYaml } from './yaml-document.ts';

/** Nobody mends more than this in one go: what has more is something else. */
const MOST_LISTED = 200;

/** One kind of YAML file: what may be in it, and what is asked of several fields at once. */
export interface DocumentKind<Parsed> {
  readonly schema: z.ZodType<Parsed>;
  readonly jsonSchema: () => z.core.JSONSchema.BaseSchema;
  /** What an empty file lacks. */
  readonly parts: string;
  /** Works on whatever parts are well-typed, so that one mistake hides no other. */
  readonly checkAcross: (data: unknown) => readonly Finding[];
}

export interface ParsedDocument<Parsed> {
  readonly parsed: Parsed;
  /** SHA-256 of the file's bytes, hex. */
  readonly sha256: string;
  /** Gives a finding of a later check its place in the file. */
  readonly locate: (finding: Finding) => Problem;
}

/** The bytes of the file at `path`; rejects with a {@link ConfigError}. */
export async function readDocument(path: string): Promise<Buffer> {
  const source = await readSource(path);
  if (typeof source === 'string') throw wholeFileError(path, source);
  return source;
}

/** Reads YAML text of one kind, or throws a {@link ConfigError} that carries everything that is wrong with it. */
export function parseDocument<Parsed>(bytes: Buffer, path: string, kind: DocumentKind<Parsed>): ParsedDocument<Parsed> {
  if (!isUtf8(bytes)) throw wholeFileError(path, 'is not UTF-8 text; expected a YAML file in UTF-8');
  const yaml = readYaml(new TextDecoder().decode(bytes));
  const problems: Problem[] = yaml.mistakes.map(({ line, column, path: at, message }) => ({
    file: path,
    line,
    column,
    path: formatPath(at),
    message,
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
  if (unlisted > 0) problems.push(wholeFile(path, `${unlisted} more problems are not listed`));
  if (!parsed.success || problems.length > 0) throw configError(problems);
  return { parsed: parsed.data, sha256: createHash('sha256').update(bytes).digest('hex'), locate };
}

/** Problems in the order of their file, each once. */
export function inFileOrder(problems: readonly Problem[]): Problem[] {
  const first = new Map(problems.map((problem) => [`${problem.path}\n${problem.message}\n${problem.line}`, problem]));
  return [...first.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function configError(problems: readonly Problem[]): ConfigError {
  return new ConfigError(inFileOrder(problems));
}

function wholeFileError(file: string, message: string): ConfigError {
  return new ConfigError([wholeFile(file, message)]);
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, path: '', message };
}
