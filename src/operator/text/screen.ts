import { printable } from '../../base/text/printable.ts';
import type { Status, TunnelStatus } from '../../telemetry/status/status.ts';
import { statusText } from './status.ts';
import { whyText } from './why.ts';
import { wrapped } from './wrap.ts';

const SORTS = ['file order', 'worst first', 'name', 'open connections'] as const;

/** What a person has chosen in `status --watch`. */
export interface Screen {
  readonly sort: (typeof SORTS)[number];
  /** Part of the name of a tunnel, its host or its state. */
  readonly filter: string;
  /** Whether keys go into the filter. */
  readonly typing: boolean;
  /** The name of the marked tunnel; undefined: the first one. */
  readonly marked: string | undefined;
  /** Whether the marked tunnel has the whole screen. */
  readonly detail: boolean;
  /** Screens below the one with the mark, or below the first one of a detail; after the last comes the first again. */
  readonly page: number;
}

/** A key as node:readline names it; `text` is what it types. */
export interface Key {
  readonly name: string | undefined;
  readonly text: string | undefined;
  readonly ctrl: boolean;
}

/** @param name the tunnel of `status NAME --watch` */
export function firstScreen(name?: string): Screen {
  return { sort: 'file order', filter: '', typing: false, marked: name, detail: name !== undefined, page: 0 };
}

/** The screen after a key; `over` after the key that ends the watch. Pure. */
export function afterKey(screen: Screen, key: Key, status: Status | undefined): Screen | 'over' {
  if (key.ctrl) return key.name === 'c' ? 'over' : screen;
  if (screen.typing) return afterTyping(screen, key);
  if (key.name === 'pagedown' || key.name === 'space') return { ...screen, page: screen.page + 1 };
  if (key.name === 'pageup') return { ...screen, page: screen.page - 1 };
  return afterCommand({ ...screen, page: 0 }, key, status);
}

function afterCommand(screen: Screen, key: Key, status: Status | undefined): Screen | 'over' {
  switch (key.name) {
    case 'q':
      return 'over';
    case 's':
      return { ...screen, sort: SORTS[(SORTS.indexOf(screen.sort) + 1) % SORTS.length] ?? 'file order' };
    case 'return':
      return { ...screen, detail: !screen.detail };
    case 'escape':
      return screen.detail ? { ...screen, detail: false } : { ...screen, filter: '' };
    case 'up':
    case 'k':
      return moved(screen, status, -1);
    case 'down':
    case 'j':
      return moved(screen, status, 1);
    default:
      return key.text === '/' ? { ...screen, typing: true, detail: false } : screen;
  }
}

function afterTyping(screen: Screen, { name, text }: Key): Screen {
  if (name === 'return') return { ...screen, typing: false };
  if (name === 'escape') return { ...screen, typing: false, filter: '' };
  if (name === 'backspace') return { ...screen, filter: screen.filter.slice(0, -1) };
  return text !== undefined && /^[\x20-\x7e]$/.test(text) ? { ...screen, filter: screen.filter + text } : screen;
}

function moved(screen: Screen, status: Status | undefined, by: number): Screen {
  const names = status === undefined ? [] : chosen(screen, status).map(({ name }) => name);
  const at = Math.max(0, names.indexOf(screen.marked ?? ''));
  return { ...screen, marked: names[Math.min(names.length - 1, Math.max(0, at + by))] ?? screen.marked };
}

const RANK: Readonly<Record<TunnelStatus['state'], number>> = {
  down: 0,
  degraded: 1,
  unverified: 2,
  draining: 3,
  up: 4,
  stopped: 5,
  retired: 6,
};

/** The tunnels of the table, in its order. */
function chosen({ sort, filter }: Screen, { tunnels }: Status): TunnelStatus[] {
  const wanted = filter.toLowerCase();
  const fits = ({ name, host, state }: TunnelStatus) =>
    [name, host, state].some((text) => text.toLowerCase().includes(wanted));
  const kept = tunnels.filter(fits);
  if (sort === 'file order') return kept;
  return kept.toSorted((a, b) => {
    if (sort === 'worst first') return RANK[a.state] - RANK[b.state];
    return sort === 'name' ? a.name.localeCompare(b.name) : b.usage.open - a.usage.open;
  });
}

export interface Size {
  /** Undefined: unlimited. */
  readonly columns: number | undefined;
  readonly rows: number | undefined;
  readonly colour: boolean;
}

/** The lines of the screen; the last one names the keys. Long lines are broken, never cut. Pure. */
export function screenLines(screen: Screen, status: Status, { columns, rows, colour }: Size): string[] {
  const tunnels = chosen(screen, status);
  const marked = tunnels.find(({ name }) => name === screen.marked) ?? tunnels[0];
  const footer = footerOf(screen, status.tunnels.length - tunnels.length, { columns, rows });
  const text = textOf(screen, { ...status, tunnels }, marked, { columns, rows, colour });
  const lines = text
    .trimEnd()
    .split('\n')
    .flatMap((line) => broken(line, columns));
  // The header may begin with the same word.
  const title = lines.findIndex((line) => line.startsWith('TUNNEL '));
  const isMarked = (line: string, index: number) =>
    index > title && line.startsWith(`${printable(marked?.name ?? '')} `);
  const at = screen.detail || !marked ? -1 : lines.findIndex(isMarked);
  const shown = lines.map((line, index) => (index === at ? inverse(line, printable(marked?.name ?? '')) : line));
  const room = rows === undefined ? undefined : rows - footer.length;
  return [...windowOf(shown, at, screen.page, { columns, rows: room }), ...footer];
}

/** Also inside a long word: the terminal would do so too, and the screen would have more lines than rows. */
function broken(line: string, columns: number | undefined): string[] {
  const pieces = new RegExp(`.{1,${columns ?? ''}}`, 'gsu');
  // A line with colours has short words.
  return wrapped(line, columns).flatMap((part) =>
    part.includes('\x1b') || part === '' ? [part] : (part.match(pieces) ?? []),
  );
}

function textOf(screen: Screen, status: Status, marked: TunnelStatus | undefined, size: Size): string {
  if (marked === undefined && screen.filter !== '') return `No tunnel fits the filter "${screen.filter}".`;
  return screen.detail && marked ? whyText(marked, status) : statusText(status, size);
}

function inverse(line: string, name: string): string {
  return `\x1b[7m${name}\x1b[27m${line.slice(name.length)}`;
}

/** A footer of more than a third of a small screen would leave no room for a tunnel. */
function footerOf(screen: Screen, hidden: number, { columns, rows }: Pick<Size, 'columns' | 'rows'>): string[] {
  const { sort, filter, typing, detail } = screen;
  const filtered = filter === '' ? '' : `filter "${filter}" hides ${hidden}; `;
  const keys = detail ? 'Enter back' : 's sort, / filter, up and down, Enter detail';
  const full = typing
    ? `filter: ${filter}_  (Enter keeps, Esc clears)`
    : `${filtered}${sort}; keys: ${keys}; q or Ctrl-C ends`;
  const lines = ['', ...broken(full, columns)];
  if (rows === undefined || lines.length <= rows / 3) return lines;
  const short = typing
    ? `filter: ${filter}_`
    : filter === ''
      ? `q ends, ${detail ? 'Enter back' : 's / Enter'}`
      : filtered;
  return broken(short, columns).slice(0, 1);
}

/** So many lines: around the marked one, or another page. What is above and below is said. */
function windowOf(
  lines: readonly string[],
  marked: number,
  page: number,
  { columns, rows }: Pick<Size, 'columns' | 'rows'>,
): string[] {
  if (rows === undefined || lines.length <= rows) return [...lines];
  const room = Math.max(1, rows - 1);
  const last = lines.length - room;
  const around = Math.max(0, Math.min(last, marked - Math.floor(room / 2)));
  const pages = Math.ceil(lines.length / room);
  const turned = (((Math.floor(around / room) + page) % pages) + pages) % pages;
  const start = page === 0 ? around : Math.min(last, turned * room);
  const below = last - start;
  const [long, short] = [`(${start} lines above, ${below} below; PgUp, PgDn)`, `${start} above, ${below} below`];
  return [...lines.slice(start, start + room), columns !== undefined && long.length > columns ? short : long];
}
