import { describe, expect, it } from 'vitest';
import { type ErrorCode, TunnelError } from '../../../../../src/base/errors.ts';
import { HTTP_REJECTED, replyBytes, replyFor } from '../../../../../src/tunnels/forward/socks/reply.ts';

describe(replyFor, () => {
  it.each<[ErrorCode, number]>([
    ['target_refused', 5],
    ['target_unreachable', 4],
    ['forward_denied', 2],
    ['connection_reset', 1],
    ['keepalive_lost', 1],
    ['internal', 1],
  ])('answers %s with reply %i', (code, reply) => expect(replyFor(new TunnelError(code, 'x'))).toBe(reply));

  it('distinguishes a timeout from another unreachable target', () => {
    const cause = new DOMException('no answer', 'TimeoutError');
    expect(replyFor(new TunnelError('target_unreachable', 'x', { cause }))).toBe(6);
  });
});

it('makes a reply of the length in RFC 1928', () => {
  expect(replyBytes(5)).toEqual(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]));
});

it('sends an HTTP client the length of the answer', () => {
  const [head = '', body = ''] = HTTP_REJECTED.toString().split('\r\n\r\n');
  expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
});
