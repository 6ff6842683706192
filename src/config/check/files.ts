import { bodies, type Outline, type OutlineActor } from '../outline.ts';
import { absolutePath, type Places, resolvePath } from '../paths.ts';
import type { ConfigPath, Finding } from '../problem.ts';
import { LONGEST_SOCKET_PATH } from '../schema/scalars.ts';

/** Every path can be made absolute. Whether a file is there and may be read is found out by those who use it. */
export function checkFiles(outline: Outline, places: Places): Finding[] {
  const written: [ConfigPath, string | undefined][] = [
    [['control', 'socket'], outline.control?.socket],
    [['state_dir'], outline.state_dir],
    [['plan'], outline.plan],
    ...bodies(outline.hosts).map(([name, host]): [ConfigPath, string | undefined] => [
      ['hosts', name, 'known_hosts'],
      host.known_hosts,
    ]),
    ...bodies(outline.actors).flatMap(([name, actor]): [ConfigPath, string | undefined][] => [
      [['actors', name, 'key'], actor.key],
      [['actors', name, 'passphrase_file'], actor.passphrase_file],
      [['actors', name, 'fallback', 'key'], actor.fallback?.key],
    ]),
  ];
  const unresolvable = written.flatMap(([path, text]): Finding[] => {
    const resolved = text === undefined ? undefined : resolvePath(text, places);
    return resolved !== undefined && 'fault' in resolved ? [{ path, message: resolved.fault, at: 'value' }] : [];
  });
  return [
    ...unresolvable,
    ...checkSocket(outline, places),
    ...bodies(outline.actors).flatMap(([name, actor]) => checkAgent(name, actor)),
  ];
}

/** It can be bound by way of its directory whatever its length, but connect(2) takes no more. */
function checkSocket({ control }: Outline, places: Places): Finding[] {
  const socket = absolutePath(control?.socket, places);
  if (socket === undefined) return [];
  const length = Buffer.byteLength(socket);
  if (length <= LONGEST_SOCKET_PATH) return [];
  const message = `${socket} is ${length} bytes long; expected at most ${LONGEST_SOCKET_PATH}, as unix(7) has it`;
  return [{ path: ['control', 'socket'], message, at: 'value' }];
}

function checkAgent(name: string, actor: OutlineActor): Finding[] {
  if (actor.key !== 'agent' || actor.passphrase_file === undefined) return [];
  return [
    {
      path: ['actors', name, 'passphrase_file'],
      message: 'does not go with key: agent, which holds its keys decrypted; expected one of the two',
      at: 'key',
    },
  ];
}
