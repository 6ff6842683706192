import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { waitUntil } from '../wait-until.ts';
import { descendantsOf, nameOf } from './proc.ts';

/** The resources of this process, by kind. */
export interface Holdings {
  /** Open descriptors by kind: `socket`, `pipe`, or the path. */
  readonly fds: ReadonlyMap<string, number>;
  /** Active resources of the event loop: sockets, servers, timers (`Timeout`), child processes. */
  readonly resources: ReadonlyMap<string, number>;
  readonly children: readonly string[];
}

/**
 * The resources at rest: the minimum of each kind over some time. Short timers of the test runner would otherwise raise
 * the baseline and hide a leak. Take the baseline after a warm-up round, because one-time resources are no leak.
 */
export async function takeBaseline(ms = 250): Promise<Holdings> {
  let least = holdings();
  for (const until = performance.now() + ms; performance.now() < until; ) {
    await pause(10);
    const now = holdings();
    least = { ...now, fds: minimum(least.fds, now.fds), resources: minimum(least.resources, now.resources) };
  }
  return least;
}

function holdings(): Holdings {
  return {
    fds: count(readdirSync('/proc/self/fd').flatMap(describeFd)),
    resources: count(process.getActiveResourcesInfo()),
    children: descendantsOf(process.pid).map((pid) => `${nameOf(pid)} (${pid})`),
  };
}

/** The resources beyond the baseline, as text. */
export function heldBeyond(baseline: Holdings): string[] {
  return growth(baseline, holdings());
}

/** Waits until no resource exceeds the baseline. Throws with the rest after a timeout. */
export async function expectNoLeaks(baseline: Holdings): Promise<void> {
  let grown: string[] = [];
  await waitUntil(
    'everything is released',
    () => {
      grown = heldBeyond(baseline);
      return grown.length === 0;
    },
    undefined,
    () => `still held beyond the baseline:\n${grown.join('\n')}`,
  );
}

function growth(before: Holdings, now: Holdings): string[] {
  return [
    ...more('fd', before.fds, now.fds),
    ...more('resource', before.resources, now.resources),
    ...now.children.filter((child) => !before.children.includes(child)).map((child) => `child process ${child}`),
  ];
}

function more(label: string, before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string[] {
  return [...now].flatMap(([kind, held]) => {
    const extra = held - (before.get(kind) ?? 0);
    return extra > 0 ? [`${extra} × ${label} ${kind}`] : [];
  });
}

function describeFd(fd: string): string[] {
  try {
    const target = readlinkSync(`/proc/self/fd/${fd}`);
    // The descriptor that reads this directory.
    return target.endsWith('/fd') ? [] : [target.replace(/:\[.*\]$/, '')];
  } catch {
    return [];
  }
}

function count(kinds: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function minimum(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...a].map(([kind, held]) => [kind, Math.min(held, b.get(kind) ?? 0)]));
}
