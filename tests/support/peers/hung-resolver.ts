import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** glibc's defaults freeze sshd for 10 s too: two attempts of 5 s. */
const FREEZE_S = 10;

const HEADER_BYTES = 12;
const NXDOMAIN = 3;

/** A name server that answers nothing, until it heals. */
export interface HungResolver extends AsyncDisposable {
  /** The names that it was asked for, each once, in order. */
  asked(): readonly string[];
  /** From now on, and for the open questions too: no such name. */
  heal(): void;
  hang(): void;
  /**
   * A wrapper command for {@link SshdOptions}. Programs in its mount namespace ask this server, and know the names of
   * `known` without a question.
   */
  wrapper(known?: readonly string[]): (directory: string) => readonly string[];
}

/** Needs the capability `mount`. */
export async function startHungResolver(): Promise<HungResolver> {
  const socket = createSocket('udp4');
  const names: string[] = [];
  const open: { readonly question: Buffer; readonly from: RemoteInfo }[] = [];
  let healthy = false;
  const answer = () => {
    for (const { question, from } of open.splice(0)) socket.send(noSuchName(question), from.port, from.address);
  };
  socket.on('error', () => {});
  socket.on('message', (question, from) => {
    const name = nameIn(question);
    if (!names.includes(name)) names.push(name);
    open.push({ question, from });
    if (healthy) answer();
  });
  // Its own loopback address: a name server has no choice of port.
  const address = `127.${randomInt(64, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(53, address, resolve);
  });
  return {
    asked: () => names,
    heal: () => {
      healthy = true;
      answer();
    },
    hang: () => {
      healthy = false;
    },
    wrapper:
      (known = ['localhost']) =>
      (directory) => {
        const file = (name: string, text: string) => writeFileSync(join(directory, name), text);
        file('resolv.conf', `nameserver ${address}\noptions timeout:${FREEZE_S} attempts:1\n`);
        file('nsswitch.conf', 'hosts: files dns\n');
        file('hosts', known.map((name) => `127.0.0.1 ${name}\n`).join(''));
        const mounts = ['resolv.conf', 'nsswitch.conf', 'hosts'].map(
          (name) => `mount --bind "$0/${name}" /etc/${name}`,
        );
        const script = `${mounts.join(' && ')} && exec "$@"`;
        return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, directory];
      },
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** RFC 1035 section 4.1.2: labels, each after its length. */
function nameIn(question: Buffer): string {
  const labels: string[] = [];
  for (let at = HEADER_BYTES; ; ) {
    const length = question[at] ?? 0;
    if (length === 0) return labels.join('.');
    labels.push(question.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** RFC 1035 section 4.1.1: the question, as an answer without records. */
function noSuchName(question: Buffer): Buffer {
  const answer = Buffer.from(question);
  answer.writeUInt8(answer.readUInt8(2) | 0x80, 2);
  answer.writeUInt8(0x80 | NXDOMAIN, 3);
  return answer;
}
