import { connect } from 'node:net';
import { type LoopbackServer, listenLoopback } from '../support/peers/loopback.ts';

/** A false sshd that fails before a session is up. */
export type FalseSshd = LoopbackServer;

/** Sends a banner, a byte at a time, and never the end of its line. */
export function startSlowBanner(): Promise<FalseSshd> {
  return listenLoopback((socket) => {
    const line = 'SSH-2.0-OpenSSH_9.2p1 as slow as can be';
    let sent = 0;
    const timer = setInterval(() => {
      if (sent < line.length) socket.write(line.charAt(sent++));
    }, 50);
    socket.resume().once('close', () => clearInterval(timer));
  });
}

/** Sends one line instead of a banner and closes, as sshd does to a penalised address. */
export function startRefusal(line: string): Promise<FalseSshd> {
  return listenLoopback((socket) => socket.resume().end(`${line}\r\n`));
}

/** Passes this many bytes of the real sshd on, then closes the connection or falls silent. */
export function startCutShort(sshdPort: number, bytes: number, then: 'close' | 'silence'): Promise<FalseSshd> {
  return listenLoopback((socket) => {
    const sshd = connect({ host: '127.0.0.1', port: sshdPort });
    sshd.on('error', () => {});
    socket.pipe(sshd);
    socket.once('close', () => sshd.destroy());
    let left = bytes;
    sshd.on('data', (chunk: Buffer) => {
      socket.write(chunk.subarray(0, left));
      left = Math.max(0, left - chunk.length);
      if (left > 0) return;
      sshd.removeAllListeners('data').pause();
      if (then === 'close') socket.end(() => socket.destroy());
    });
  });
}
