import { emitKeypressEvents } from 'node:readline';
import { sleep } from '../../base/async/sleep.ts';
import { isDumb } from '../../base/text/plain-terminal.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { afterKey, firstScreen, type Key, screenLines } from '../text/screen.ts';
import { hangUp } from './hang-up.ts';
import type { Terminal } from './terminal.ts';

/** The screen of the watch: left while the program is suspended. */
interface Shown {
  leave(): void;
  /** Also while the screen is shown: a shell may have written on it. */
  enter(): void;
}

/** The terminal of the person who watches. */
export interface Keyboard {
  /** Calls back for each key, and around each suspension; the result ends the listening and gives the terminal back. */
  listen(onKey: (key: Key) => void, shown: Shown): () => void;
  /** Calls back when the size has changed; the result ends that. */
  onResize(changed: () => void): () => void;
  /** Height; undefined: unlimited. */
  rows(): number | undefined;
}

const CTRL_C: Key = { name: 'c', text: undefined, ctrl: true };

/** Standard input and output, if both are a terminal with escape sequences. */
export function keyboard(): Keyboard | undefined {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY || isDumb(process.env)) return undefined;
  return {
    listen: (onKey, shown) => {
      const heard = (text: string | undefined, { name, ctrl }: { name?: string; ctrl?: boolean } = {}) => {
        // In raw mode the kernel does not do this: the whole job stops, with a script around the command.
        if (ctrl && name === 'z') process.kill(0, 'SIGTSTP');
        else onKey({ name, text, ctrl: ctrl === true });
      };
      const back = () => {
        // libuv remembers the mode, but a shell may have changed the terminal: set it in any case.
        stdin.setRawMode(false);
        stdin.setRawMode(true);
        shown.enter();
      };
      const suspend = () => {
        shown.leave();
        stdin.setRawMode(false);
        process.off('SIGTSTP', suspend);
        // Stops here until SIGCONT. Without a shell that could go on with the job, the kernel ignores the signal.
        process.kill(process.pid, 'SIGTSTP');
        process.on('SIGTSTP', suspend);
        back();
      };
      // A killed command must give the terminal back as well.
      const onKill = () => onKey(CTRL_C);
      const onHangUp = () => {
        try {
          shown.leave();
          stdin.setRawMode(false);
        } catch {
          // The terminal is gone.
        }
        hangUp();
      };
      emitKeypressEvents(stdin);
      stdin.setRawMode(true);
      stdin.on('keypress', heard);
      stdin.resume();
      // Reading from a terminal that is gone.
      stdin.on('error', hangUp);
      process.on('SIGTERM', onKill);
      process.on('SIGHUP', onHangUp);
      process.on('SIGTSTP', suspend);
      process.on('SIGCONT', back);
      return () => {
        process.off('SIGCONT', back);
        process.off('SIGTSTP', suspend);
        process.off('SIGHUP', onHangUp);
        process.off('SIGTERM', onKill);
        stdin.off('error', hangUp);
        stdin.off('keypress', heard);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
    onResize: (changed) => {
      stdout.on('resize', changed);
      return () => void stdout.off('resize', changed);
    },
    rows: () => (stdout.rows > 0 ? stdout.rows : undefined),
  };
}

/** The other screen of the terminal, without a cursor; and back: the shell finds its screen unchanged. */
const ENTER = '\x1b[?1049h';
const NO_CURSOR = '\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const REST_OF_LINE = '\x1b[K';
const REST_OF_SCREEN = '\x1b[J';

export interface WatchScreenOptions {
  /** Start with the detail of this tunnel. */
  readonly name: string | undefined;
  readonly everyMs: number;
}

export interface WatchScreenDependencies {
  readonly keyboard: Keyboard;
  out(text: string): void;
  look(): Terminal;
  /** The state of the daemon, or the reason why there is none; undefined after an abort. */
  ask(): Promise<Status | string | undefined>;
  readonly signal: AbortSignal;
}

/** Shows the status until q or Ctrl-C; settles with the last answer of the daemon. */
export async function watchScreen(
  { name, everyMs }: WatchScreenOptions,
  { keyboard: keys, out, look, ask, signal }: WatchScreenDependencies,
): Promise<Status | undefined> {
  const over = new AbortController();
  const ends = AbortSignal.any([signal, over.signal]);
  let screen = firstScreen(name);
  let seen: Status | undefined;
  let failure: string | undefined;
  const draw = () => {
    if (ends.aborted) return;
    const size = { ...look(), rows: keys.rows() };
    const notice = failure === undefined ? [] : [`${failure} (the last known state is below)`, ''];
    const lines = seen === undefined ? [failure ?? 'asking the daemon …', 'q or Ctrl-C ends'] : [];
    const rows = size.rows === undefined ? undefined : size.rows - notice.length;
    const body = seen === undefined ? lines : [...notice, ...screenLines(screen, seen, { ...size, rows })];
    // A line feed alone: the terminal returns to the first column in this mode as well, and a carriage return is not printed.
    const shown = body.slice(0, size.rows).map((line) => `${line}${REST_OF_LINE}`);
    out(`${HOME}${shown.join('\n')}${REST_OF_SCREEN}`);
  };
  const onKey = (key: Key) => {
    const next = afterKey(screen, key, seen);
    if (next === 'over') over.abort();
    else {
      screen = next;
      draw();
    }
  };
  let isShown = false;
  const leave = () => {
    isShown = false;
    out(LEAVE);
  };
  const enter = () => {
    // Entered once: a terminal would forget where the shell was.
    out(`${isShown ? '' : ENTER}${NO_CURSOR}`);
    isShown = true;
    draw();
  };
  const release = keys.listen(onKey, { leave, enter });
  const forget = keys.onResize(draw);
  try {
    enter();
    while (!ends.aborted) {
      const answer = await ask();
      if (answer === undefined) break;
      failure = typeof answer === 'string' ? answer : undefined;
      seen = typeof answer === 'string' ? seen : answer;
      draw();
      await sleep(everyMs, ends).catch(() => {});
    }
  } finally {
    forget();
    release();
    leave();
  }
  return failure === undefined ? seen : undefined;
}
