import { errnoOf, TunnelError } from '../errors.ts';

/** What a failing system call means to whoever runs this, by its errno. */
const MEANING: Readonly<Record<string, readonly [string, string | undefined]>> = {
  EROFS: [
    'the file system is read-only',
    'Name a state_dir that the daemon may write; in a systemd unit StateDirectory=fleet-mesh gives one.',
  ],
  EACCES: ['permission denied', undefined],
  EPERM: ['permission denied', undefined],
  ENOSPC: ['no space is left on the device', 'Make room there, or name a state_dir elsewhere.'],
  EDQUOT: ['the quota is used up', 'Make room there, or name a state_dir elsewhere.'],
  ENOTDIR: ['a part of the path is not a directory', undefined],
  ELOOP: ['it is a symbolic link', undefined],
};

/** `state_dir_unusable`: `what` could not be done to `path`, with the reason in words. */
export function stateError(what: string, path: string, error: unknown): TunnelError {
  const code = errnoOf(error) ?? 'unknown error';
  const [reason, hint] = MEANING[code] ?? [code, undefined];
  return new TunnelError('state_dir_unusable', `${path} cannot be ${what}: ${reason}`, { cause: error, hint });
}
