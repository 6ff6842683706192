import { expect, it } from 'vitest';
import { closingCommand } from '../../../../src/machine/systemd/closing-command.ts';

const hub = { name: 'hub', listen: { kind: 'tcp', host: '127.0.0.1', port: 18_000 } } as const;
const socket = (name: string, used_by: string | null) => ({ name, address: '127.0.0.1:18000', used_by, problem: null });
const others = [socket('tunnel-other', 'tunnel other'), socket('endpoint', 'the endpoint'), socket('stray', null)];

it.each([
  ['forward-18000', {}, 'systemctl disable --now fleet-mesh-forward@18000.socket'],
  ['tunnel-hub', { XDG_RUNTIME_DIR: '/run/user/1' }, 'systemctl --user disable --now fleet-mesh-tunnel-hub.socket'],
])('closes the port of the socket %s by its unit', (name, env, expected) => {
  expect(closingCommand(hub, [...others, socket(name, 'tunnel hub')], env)).toBe(expected);
});

it('returns no command if systemd has no socket for the tunnel', () => {
  expect(closingCommand(hub, others, {})).toBeUndefined();
});
