import { describe, expect, it } from 'vitest';
import { commandEnvironment } from '../../../../src/tunnels/credential/cert-command.ts';

describe(commandEnvironment, () => {
  it.each([
    'NOTIFY_SOCKET',
    'WATCHDOG_USEC',
    'WATCHDOG_PID',
    'LISTEN_FDS',
    'LISTEN_PID',
    'LISTEN_FDNAMES',
    'CREDENTIALS_DIRECTORY',
    'STATE_DIRECTORY',
    'RUNTIME_DIRECTORY',
    'INVOCATION_ID',
    'JOURNAL_STREAM',
    'SYSTEMD_EXEC_PID',
    'MEMORY_PRESSURE_WATCH',
    'NODE_OPTIONS',
    'NODE_CHANNEL_FD',
    'SSH_AUTH_SOCK',
    'SSH_ASKPASS',
  ])('does not pass %s to cert_command', (name) => {
    expect(commandEnvironment({ [name]: 'x', PATH: '/bin' })).toEqual({ PATH: '/bin' });
  });

  it.each([
    'PATH',
    'HOME',
    'LANG',
    'TZ',
    'VAULT_ADDR',
    'VAULT_TOKEN',
    'BAO_ADDR',
    'STEPPATH',
    'HTTPS_PROXY',
    'XDG_RUNTIME_DIR',
  ])('passes %s to cert_command', (name) => {
    expect(commandEnvironment({ [name]: 'x' })).toEqual({ [name]: 'x' });
  });
});
