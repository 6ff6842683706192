import type { Socket } from 'node:net';
import { METHOD_NOT_ALLOWED } from './guard.ts';
import { type Problem, rawProblem } from './problem.ts';

/** An error of Node's HTTP parser or timers before a request was complete. */
export interface ConnectionFault {
  readonly code?: string;
  readonly rawPacket?: unknown;
}

/** Answers an invalid or incomplete request if the socket is still writable, then closes the connection. */
export function answerClientError(fault: ConnectionFault, socket: Socket): void {
  socket.on('error', () => {});
  if (!socket.writable || fault.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  // Without the timer, a peer that still sends could keep the half-closed socket open.
  socket.setTimeout(1_000, () => socket.destroy());
  socket.end(rawProblem(problemOf(fault)), () => socket.destroySoon());
}

function problemOf(fault: ConnectionFault): Problem {
  switch (fault.code) {
    case 'HPE_HEADER_OVERFLOW':
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return {
        status: 431,
        code: 'headers_too_large',
        title: 'Request Header Fields Too Large',
        detail: 'The request line and headers are too long.',
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        code: 'request_timeout',
        title: 'Request Timeout',
        detail: 'The request did not arrive in time.',
      };
    case 'HPE_INVALID_METHOD':
      // A well-formed request with an unknown method, not a TLS hello.
      if (fault.rawPacket instanceof Uint8Array && isRequest(fault.rawPacket)) return METHOD_NOT_ALLOWED;
      break;
  }
  return { status: 400, code: 'bad_request', title: 'Bad Request', detail: 'This is not an HTTP/1.1 request.' };
}

function isRequest(packet: Uint8Array): boolean {
  return /^[A-Za-z]+ \S+ HTTP\/1\.[01]\r\n/.test(Buffer.from(packet).toString('latin1'));
}
