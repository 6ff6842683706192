import type { SimDisk } from './disk.ts';

/** What somebody else does to the log, or to the whole directory: `restore` brings an old backup back. */
export const TAMPERINGS = ['move', 'remove', 'cut', 'edit', 'swap', 'drop', 'restore'] as const;
export type Tampering = (typeof TAMPERINGS)[number];

/** State files that somebody else may remove. */
export const STATE_FILES = ['retired.json', 'cutover/hub.json', 'events.head'] as const;
export type StateFileName = (typeof STATE_FILES)[number];

export const STATE = '/sim/state';
export const LOG = `${STATE}/events.jsonl`;
const HEAD = `${STATE}/events.head`;

type Backup = ReadonlyMap<string, Buffer>;

/**
 * Changes the log. Returns whether `events --verify` must notice for good, without the daemon's help; undefined if there was
 * nothing to change.
 */
export function tamper(
  disk: SimDisk,
  how: Tampering,
  { backup, random }: { readonly backup: Backup | undefined; readonly random: () => number },
): 'provable' | 'perhaps' | undefined {
  const data = disk.names.get(LOG)?.data;
  if (how === 'restore') return backup && restore(disk, backup);
  if (!data || data.length === 0) return undefined;
  const lines = data.toString('utf8').split('\n').slice(0, -1);
  const known = headOf(disk);
  const place = Math.floor(random() * lines.length);
  const revealed = (yes: boolean) => (yes ? 'provable' : 'perhaps');
  if (how === 'move') disk.replace(`${LOG}.away`, data);
  if (how === 'move' || how === 'remove') {
    disk.replace(LOG, undefined);
    return revealed(known > 0 && lines.length > 0);
  }
  if (lines.length < 2) return undefined;
  const [line = '', next = ''] = lines.slice(place);
  const write = (changed: readonly string[]) =>
    disk.overwrite(LOG, Buffer.from(changed.map((each) => `${each}\n`).join('')));
  if (how === 'cut') {
    write(lines.slice(0, place));
    return revealed(known > 0 && known >= seqOf(line));
  }
  if (how === 'edit') {
    write(
      lines.with(
        place,
        line.replace(/"uptime_ms":\d/, (found) => `${found.slice(0, -1)}${(Number(found.at(-1)) + 1) % 10}`),
      ),
    );
    return revealed(next !== '' || seqOf(line) === known);
  }
  if (next === '') return undefined;
  const changed = how === 'swap' ? lines.with(place, next).with(place + 1, line) : lines.toSpliced(place, 1);
  write(changed);
  // A swap can undo an earlier one.
  return revealed(how === 'drop' || !isInOrder(changed));
}

function restore(disk: SimDisk, backup: Backup): 'perhaps' {
  for (const [path, data] of backup) disk.replace(path, data);
  return 'perhaps';
}

function headOf(disk: SimDisk): number {
  return Number((JSON.parse(disk.peek(HEAD) ?? '{"seq":0}') as { seq: number }).seq);
}

/** Whether the lines stand in the order in which the daemon wrote them. */
function isInOrder(lines: readonly string[]): boolean {
  return lines.every((line, index) => index === 0 || seqOf(line) > seqOf(lines[index - 1] ?? ''));
}

function seqOf(line: string): number {
  return Number(/^\{"seq":(\d+)/.exec(line)?.[1] ?? 0);
}
