/** One change of a node, as data: planning, showing and executing a step are separate. */
export type Step =
  | { readonly kind: 'copy-tree'; readonly from: string; readonly to: string }
  | { readonly kind: 'remove-tree'; readonly path: string }
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly text: string;
      readonly mode: number;
      /** Where the text comes from, shown in place of the text; undefined: the text is shown. */
      readonly source: string | undefined;
    }
  /** A file or a link, and its directory if that is then empty. */
  | { readonly kind: 'remove'; readonly path: string }
  /** A directory, if it is empty. */
  | { readonly kind: 'remove-empty'; readonly path: string }
  /** A symbolic link, replaced atomically. */
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  | {
      readonly kind: 'command';
      readonly argv: readonly [string, ...string[]];
      /** Shown in place of a long command line. */
      readonly label?: string;
      /** Shown behind the command line. */
      readonly comment?: string;
      /** In milliseconds. */
      readonly timeoutMs?: number;
    }
  /** Waits until each of these TCP ports of this node has a listener. */
  | { readonly kind: 'await-ports'; readonly ports: readonly number[] };

/** Runs a program and its arguments. */
export function command(program: string, ...rest: readonly string[]): Step {
  return { kind: 'command', argv: [program, ...rest] };
}

/** Writes a file with mode 0644. */
export function write(path: string, text: string, source: string | undefined): Step {
  return { kind: 'write', path, text, mode: 0o644, source };
}

/** The step as lines of text, for `--dry-run` and for the progress of an installation. Pure. */
export function describeStep(step: Step): string[] {
  switch (step.kind) {
    case 'copy-tree':
      return [`copy   ${step.to}`];
    case 'remove-tree':
      return [`remove ${step.path}/`];
    case 'write':
      return step.source === undefined
        ? [
            `write  ${step.path}:`,
            ...step.text
              .trimEnd()
              .split('\n')
              .map((line) => `         ${line}`),
          ]
        : [`write  ${step.path} (${step.source})`];
    case 'remove':
      return [`remove ${step.path}`];
    case 'remove-empty':
      return [`remove ${step.path}/ if it is empty`];
    case 'link':
      return [`link   ${step.path} -> ${step.to}`];
    case 'command':
      return [`run    ${step.label ?? step.argv.join(' ')}${step.comment === undefined ? '' : `   # ${step.comment}`}`];
    case 'await-ports':
      return [`wait   until something listens on ${step.ports.join(', ')}`];
  }
}
