import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/problem.ts';

/** Without the key `tunnels` a file may be cut off: such a file removes no running tunnel. Throws a ConfigError. Pure. */
export function refuseCutOffReload({ tunnels: running }: Pick<Config, 'tunnels'>, next: Config): void {
  if (running.size > 0) refuse(next, `${running.size === 1 ? '1 tunnel runs' : `${running.size} tunnels run`}`);
}

/** Nor does such a file make a daemon forget which tunnels are retired. Throws a ConfigError. Pure. */
export function refuseCutOffStart(retired: readonly string[], config: Config): void {
  if (retired.length > 0) refuse(config, `state_dir has retired tunnels (${retired.join(', ')})`);
}

function refuse({ path, listsTunnels }: Config, against: string): void {
  if (listsTunnels) return;
  const message =
    `the file has no key "tunnels", so it may be cut off; ${against}; ` +
    'expected the tunnels, or `tunnels: {}` to remove all of them';
  throw new ConfigError([{ file: path, line: 1, column: 1, path: '', message }]);
}
