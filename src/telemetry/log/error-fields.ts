import { CATALOGUE, errnoOf, messageOf, TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';

/** The fields of an error in a log line. */
export interface ErrorFields {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Messages of the cause chain, nearest first. */
  readonly causes?: readonly string[];
  readonly stack?: string;
}

const MAX_CAUSES = 5;
/** A cause may be the goodbye of a hostile server, of 256 KiB; in characters. */
const MOST_OF_CAUSE = 500;

/**
 * A TunnelError is expected: code, message and hint say everything, so the stack is left out. The same holds for an error
 * of the operating system, such as a missing directory. Everything else is a bug and keeps its original stack.
 */
export function errorFields(error: unknown): ErrorFields {
  const code = error instanceof TunnelError ? error.code : foreignCode(error);
  const causes = causeMessages(error);
  const stack = isExpected(error) ? undefined : originalStack(error);
  return {
    code,
    message: messageOf(error),
    ...(error instanceof TunnelError ? { hint: error.hint } : {}),
    ...(causes.length > 0 ? { causes } : {}),
    ...(stack !== undefined ? { stack } : {}),
  };
}

function foreignCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'internal';
}

function chain(error: unknown): unknown[] {
  const links: unknown[] = [];
  let current = error;
  while (current instanceof Error && current.cause !== undefined && links.length < MAX_CAUSES) {
    current = current.cause;
    links.push(current);
  }
  return links;
}

function causeMessages(error: unknown): string[] {
  const own = messageOf(error);
  return chain(error)
    .map(messageOf)
    .filter((message) => message !== own)
    .map((message) => printable(message, MOST_OF_CAUSE));
}

/** `internal` with a hint of its own, or with an error of the operating system as its cause, is trouble of this machine. */
function isExpected(error: unknown): boolean {
  if (error instanceof TunnelError && (error.code !== 'internal' || error.hint !== CATALOGUE.internal.hint))
    return true;
  const innermost = innermostOf(error);
  return innermost !== undefined && 'syscall' in innermost && /^E[A-Z0-9]+$/.test(errnoOf(innermost) ?? '');
}

/** `TunnelError.from` wraps a bug, so the useful stack is the one of the innermost cause. */
function originalStack(error: unknown): string | undefined {
  return innermostOf(error)?.stack;
}

function innermostOf(error: unknown): Error | undefined {
  return [error, ...chain(error)].findLast((link) => link instanceof Error);
}
