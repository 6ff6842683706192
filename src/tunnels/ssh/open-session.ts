import type { Algorithms, NegotiatedAlgorithms } from 'ssh2';
import { DeadlineTimer } from '../../base/async/deadline-timer.ts';
import { asError, TunnelError } from '../../base/errors.ts';
import { printable } from '../../base/text/printable.ts';
import { offer } from './algorithms.ts';
import { disagreement, serverOffer } from './disagreement.ts';
import { MOST_LOGIN_BYTES, PeerGuard } from './guard/peer-guard.ts';
import { explainHandshake, type HandshakeStep, type LoginAnswer } from './handshake.ts';
import { offerHybrid, withHybrid } from './key-exchange/hybrid-exchange.ts';
import { onlySsh1 } from './other-service.ts';
import { peerHint } from './peer-hint.ts';
import { fingerprint } from './public-key.ts';
import { Session, type SessionOptions } from './session.ts';
import { ssh2 } from './ssh2.ts';
import type { Transport } from './transport.ts';

/**
 * An identification line has at most 255 characters (RFC 4253 section 4.2), but other lines may precede it. ssh2 reads
 * all of them again for each piece that arrives.
 */
const GREETING_LIMIT = 8 * 1_024;
const GREETING_LINES = 512;
/** Enough for the greeting and the offer of the server. */
const FIRST_BYTES = 64 * 1_024;
/** Characters of the banner that an error may show. */
const BANNER_LIMIT = 1_000;
/** Matches only the whole line, which may arrive in pieces. */
const IDENTIFICATION = /^(SSH-[^\r\n]*)\r?\n/m;

/**
 * Logs in over a connected transport, which then belongs to the session. Rejects with a TunnelError that names the step,
 * or with the signal's reason; the transport is then destroyed.
 */
export function openSession(socket: Transport, options: SessionOptions, signal: AbortSignal): Promise<Session> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      // The signal may have aborted after the dial, without an event here.
      socket.on('error', () => {}).destroy();
      reject(signal.reason);
      return;
    }
    const client = new ssh2.Client();
    const algorithms = offer(options.hostKey.algorithms);
    let step: HandshakeStep = 'banner';
    let timedOut = false;
    let firstError: Error | undefined;
    let greeting = '';
    let refused: TunnelError | undefined;
    let accepted: Buffer | undefined;
    let agreed: NegotiatedAlgorithms | undefined;
    let answer: LoginAnswer = {};

    const nextStep = (next: HandshakeStep) => {
      step = next;
      options.onStep?.(next);
      timer.restart();
    };
    const timer = new DeadlineTimer(options.stepTimeoutMs, () => {
      timedOut = true;
      socket.destroy();
    });
    const onAbort = () => socket.destroy();
    signal.addEventListener('abort', onAbort, { once: true });

    let guard: PeerGuard | undefined;
    const first: Buffer[] = [];
    let kept = 0;
    const onBytes = (chunk: Buffer) => {
      if (step !== 'auth' && kept < FIRST_BYTES) {
        first.push(chunk);
        kept += chunk.length;
      }
      if (step === 'banner') {
        greeting += chunk.toString('latin1', 0, GREETING_LIMIT);
        if (IDENTIFICATION.test(greeting)) nextStep('kex');
        else if (greeting.length >= GREETING_LIMIT || greeting.split('\n', GREETING_LINES).length === GREETING_LINES)
          guard?.violation('sends text without end instead of an SSH banner');
      }
      if (socket.bytesRead > MOST_LOGIN_BYTES) guard?.violation('floods the login with data');
    };
    socket.on('data', onBytes);

    // ssh2 accepts every result except the literal `false`, even a promise, and asks again at every rekey.
    const hostVerifier = (blob: Buffer): boolean => {
      try {
        if (accepted) return accepted.equals(blob) === true;
        refused = options.hostKey.verify(blob);
        if (refused !== undefined) return false;
        accepted = Buffer.from(blob);
        return true;
      } catch (error) {
        refused = TunnelError.from(error);
        return false;
      }
    };

    const settle = () => {
      timer.end();
      signal.removeEventListener('abort', onAbort);
      socket.off('data', onBytes);
      socket.off('close', onClose);
      client.off('handshake', onHandshake).off('ready', onReady);
    };
    const onHandshake = (algorithms: NegotiatedAlgorithms) => {
      // A server with new keys all the time must not prolong the login.
      if (agreed) return;
      agreed = algorithms;
      nextStep('auth');
    };
    const onReady = () => {
      settle();
      client.off('error', onError);
      if (!accepted || !agreed || !guard) {
        socket.destroy();
        reject(new TunnelError('internal', 'ssh2 reported a session without a verified host key'));
        return;
      }
      const server = printable(IDENTIFICATION.exec(greeting)?.[1] ?? '', 255);
      const facts = { server, hostKey: fingerprint(accepted), kex: agreed.kex, cipher: agreed.cs.cipher };
      resolve(new Session(client, socket, options, facts, guard));
    };
    const onClose = () => {
      settle();
      const { peer, stepTimeoutMs, username, offered, ifRejected } = options;
      reject(
        signal.aborted
          ? signal.reason
          : // The error of the transport itself is nearer to the cause than an explanation by step.
            firstError instanceof TunnelError
            ? firstError
            : fitting(
                explainHandshake({
                  step,
                  peer,
                  timedOut,
                  stepTimeoutMs,
                  hostKey: refused,
                  error: firstError,
                  greeting,
                  disagreement: step === 'kex' ? differ(Buffer.concat(first), algorithms) : undefined,
                  username,
                  offered,
                  ifRejected,
                  answer,
                }),
                greeting,
              ),
      );
    };
    // Errors only inform; any number may come before and after 'close'. A peer may never close its side, so destroy ours.
    const onError = (error: Error) => {
      firstError ??= error;
      setImmediate(() => socket.destroy());
    };
    client.on('error', onError).on('handshake', onHandshake).on('ready', onReady);
    client.once('banner', (text) => {
      answer = { ...answer, banner: text.slice(0, BANNER_LIMIT) };
    });
    socket.once('close', onClose);

    try {
      client.connect({
        sock: socket,
        username: options.username,
        authHandler: options.authMethods(client),
        algorithms,
        hostVerifier,
        // The server's answers decide about its features, not its vendor name.
        strictVendor: false,
        readyTimeout: 0,
        keepaliveInterval: 0,
      });
      offerHybrid(client);
      guard = new PeerGuard(client, socket, options);
      guard.onLogin({
        refused: (methods, partial) => {
          answer = { ...answer, methods, partial };
        },
        onlySha1: () => {
          answer = { ...answer, onlySha1: true };
        },
      });
    } catch (error) {
      firstError = asError(error);
      socket.destroy();
    }
  });
}

function differ(received: Buffer, ours: Algorithms): string | undefined {
  const theirs = serverOffer(received);
  return theirs && disagreement(theirs, { ...ours, kex: withHybrid(ours.kex) });
}

/** With the hint that fits the server, once the server has said who it is. */
function fitting(error: TunnelError, greeting: string): TunnelError {
  if (onlySsh1(greeting) !== undefined) return error;
  const hint = peerHint(IDENTIFICATION.exec(greeting)?.[1] ?? '', error.code);
  return hint === undefined ? error : new TunnelError(error.code, error.message, { cause: error.cause, hint });
}
