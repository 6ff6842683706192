import { LONGEST_SOCKET_PATH } from '../../base/net/address.ts';
import { bodies, type Outline, type OutlineActor } from '../outline.ts';
import { absolutePath, type Places, resolvePath } from '../paths.ts';
import type { ConfigPath, Finding } from '../problem.ts';

/** Checks that every path can be made absolute. The users of a file report a missing or unreadable file. */
export function checkFiles(outline: Outline, places: Places): Finding[] {
  const written: [ConfigPath, string | undefined][] = [
    [['control', 'socket'], outline.control?.socket],
    [['state_dir'], outline.state_dir],
    [['plan'], outline.plan],
    ...(outline.notify ?? []).map(({ secret_file: file }, index): [ConfigPath, string | undefined] => [
      ['notify', index, 'secret_file'],
      file,
    ]),
    ...bodies(outline.hosts).map(([name, host]): [ConfigPath, string | undefined] => [
      ['hosts', name, 'known_hosts'],
      host.known_hosts,
    ]),
    ...bodies(outline.actors).flatMap(([name, actor]): [ConfigPath, string | undefined][] => [
      [['actors', name, 'key'], actor.key],
      [['actors', name, 'passphrase_file'], actor.passphrase_file],
      [['actors', name, 'fallback', 'key'], actor.fallback?.key],
    ]),
    ...bodies(outline.tunnels).flatMap(([name, { probe, drain }]): [ConfigPath, string | undefined][] => [
      [['tunnels', name, 'probe', 'https', 'ca'], probe?.https?.ca],
      [['tunnels', name, 'drain', 'successor', 'probe', 'https', 'ca'], drain?.successor?.probe?.https?.ca],
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

/** The daemon can bind a longer path through its directory, but connect(2) cannot use a longer path. */
function checkSocket({ control }: Outline, places: Places): Finding[] {
  const socket = absolutePath(control?.socket, places);
  if (socket === undefined) return [];
  const length = Buffer.byteLength(socket);
  if (length <= LONGEST_SOCKET_PATH) return [];
  const message = `${socket} is ${length} bytes long; expected at most ${LONGEST_SOCKET_PATH} (unix(7))`;
  return [{ path: ['control', 'socket'], message, at: 'value' }];
}

function checkAgent(name: string, actor: OutlineActor): Finding[] {
  if (actor.key !== 'agent' || actor.passphrase_file === undefined) return [];
  return [
    {
      path: ['actors', name, 'passphrase_file'],
      message: 'cannot be used with key: agent, which keeps its keys decrypted; expected one of the two',
      at: 'key',
    },
  ];
}
