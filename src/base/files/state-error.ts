import { errnoOf, TunnelError } from '../errors.ts';

/** Reason and hint for the operator, by the errno of the failed system call. */
const MEANING: Readonly<Record<string, readonly [string, string | undefined]>> = {
  EROFS: [
    'the file system is read-only',
    'Set a state_dir that the daemon may write. In a systemd unit, StateDirectory=fleet-mesh creates one.',
  ],
  EACCES: ['permission denied', undefined],
  EPERM: ['permission denied', undefined],
  ENOSPC: ['no space left on the device', 'Free some space, or set a state_dir elsewhere.'],
  EDQUOT: ['the disk quota is exceeded', 'Free some space, or set a state_dir elsewhere.'],
  ENOTDIR: ['part of the path is not a directory', undefined],
  ELOOP: ['the path is a symbolic link', undefined],
  ENOTSUP: ['not a regular file', 'Move it away, then restart the daemon.'],
  EFBIG: ['the file is too large', 'Move it away, then restart the daemon.'],
  EIO: ['the disk reports an error', undefined],
};

/** `state_dir_unusable`: `path` cannot be `done` (such as "read"), with the reason in words. */
export function stateError(done: string, path: string, error: unknown): TunnelError {
  const code = errnoOf(error) ?? 'unknown error';
  const [reason, hint] = MEANING[code] ?? [code, undefined];
  return new TunnelError('state_dir_unusable', `${path} cannot be ${done}: ${reason}`, { cause: error, hint });
}
