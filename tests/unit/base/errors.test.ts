import { describe, expect, it } from 'vitest';
import {
  ERROR_CODES,
  type ErrorCode,
  isCredentialRejection,
  isRejection,
  isSessionLoss,
  isTargetVerdict,
  TunnelError,
  UselessCredential,
} from '../../../src/base/errors.ts';

const codesThat = (judge: (error: TunnelError) => boolean) =>
  ERROR_CODES.filter((code) => judge(new TunnelError(code, code))).toSorted();

describe('the classification of errors', () => {
  it.each<[string, (error: TunnelError) => boolean, ErrorCode[]]>([
    ['a session loss', isSessionLoss, ['connection_reset', 'keepalive_lost', 'protocol_error']],
    ['a rejected credential', isCredentialRejection, ['auth_rejected', 'penalised']],
    ['a rejection', isRejection, ['auth_rejected', 'host_cert_invalid', 'host_key_changed', 'penalised']],
    ['a verdict on the target', isTargetVerdict, ['forward_denied', 'target_refused', 'target_unreachable']],
  ])('classifies exactly the right codes as %s', (_, judge, codes) => {
    expect(codesThat(judge)).toEqual(codes);
  });

  it('treats a credential as rejected if the server accepts the login but forbids the forward', () => {
    const useless = new UselessCredential('forward_denied', 'logged in, but nothing is allowed');
    expect([isCredentialRejection(useless), isRejection(useless)]).toEqual([true, true]);
    expect(isCredentialRejection(new TunnelError('forward_denied', 'forbidden to all'))).toBe(false);
  });

  it('does not treat a foreign error as a session loss', () => {
    expect(isSessionLoss(Object.assign(new Error('reset'), { code: 'connection_reset' }))).toBe(false);
  });
});
