import { message, type RawPeer } from './raw-peer.ts';

const KEEPALIVE = message(80, 'keepalive@openssh.com', true);
const WINDOW = 2 * 1024 * 1024;

/** What a hostile server may do after the login. The channel 0 is open in `withChannel`. */
export const FLOODS: Readonly<Record<string, (peer: RawPeer) => void>> = {
  'requests whose answers it reads': (peer) => peer.flood(() => KEEPALIVE),
  'requests whose answers it never reads': (peer) => {
    peer.stopReading();
    peer.flood(() => KEEPALIVE);
  },
  'channels that nobody forwards': (peer) => peer.flood(() => message(90, 'x11', 7, WINDOW, 32_768, '127.0.0.1', 6000)),
  'channels whose refusal it never reads': (peer) => {
    peer.stopReading();
    peer.flood(() => message(90, 'forwarded-tcpip', 7, WINDOW, 32_768, '127.0.0.1', 80, '127.0.0.1', 6000));
  },
  'messages to ignore': (peer) => peer.flood(() => message(2, 'x'.repeat(32_000))),
  'messages for debugging': (peer) => peer.flood(() => message(4, true, 'x'.repeat(100), '')),
  'messages of an unknown kind': (peer) => peer.flood(() => message(200)),
  'rejections of the login, long after the login': (peer) => peer.flood(() => message(51, 'publickey', false)),
  'banners after the login': (peer) => peer.flood(() => message(53, 'x'.repeat(30_000), '')),
  'answers to requests that nobody sent': (peer) => peer.flood(() => message(81)),
  'window of a channel that does not exist': (peer) => peer.flood(() => message(93, 77, 1)),
  'data of a channel that does not exist, without bytes': (peer) => peer.flood(() => message(94, 77, '')),
  'host keys': (peer) => peer.flood(() => message(80, 'hostkeys-00@openssh.com', true)),
  'key exchanges without end': (peer) => {
    const again = () => peer.socket.writable && peer.rekey(again);
    again();
  },
  'bytes that are no packet': (peer) => void peer.socket.write(Buffer.alloc(256, 0xff)),
  'bytes without end that are no packet': ({ socket }) => {
    const noise = Buffer.alloc(64 * 1024, 0xff);
    const more = () => {
      if (socket.destroyed || !socket.writable) return;
      if (socket.write(noise)) setImmediate(more);
      else socket.once('drain', more);
    };
    more();
  },
  'half a message': (peer) => void peer.send(message(90, 'forwarded-tcpip').subarray(0, 9)),
};

/** The same with an open channel whose number at the client is given. */
export const CHANNEL_ATTACKS: Readonly<Record<string, (peer: RawPeer, channel: number) => void>> = {
  'data beyond the window': (peer, channel) => {
    const data = message(94, channel, 'x'.repeat(32_000));
    peer.flood(() => data);
  },
  'error output without end': (peer, channel) => peer.flood(() => message(95, channel, 1, 'x')),
  'data without bytes': (peer, channel) => peer.flood(() => message(94, channel, '')),
  'a window without limit': (peer, channel) => {
    for (let count = 0; count < 3; count++) peer.send(message(93, channel, 0xffff_ffff));
  },
  'window in steps of one byte': (peer, channel) => peer.flood(() => message(93, channel, 1)),
  'requests about the channel': (peer, channel) =>
    peer.flood(() => message(98, channel, 'keepalive@openssh.com', true)),
};
