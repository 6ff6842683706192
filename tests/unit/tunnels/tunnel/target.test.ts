import { describe, expect, it } from 'vitest';
import { type ErrorCode, TunnelError, TurnedAway } from '../../../../src/base/errors.ts';
import { isVerdict, targetText } from '../../../../src/tunnels/tunnel/target.ts';
import { rules } from '../../config/allow/rules.ts';

describe(targetText, () => {
  it('shows the target, or a summary of the allowed destinations', () => {
    expect(targetText({ direction: 'local', target: { kind: 'unix', path: '/run/x' } })).toBe('unix:/run/x');
    expect(targetText({ direction: 'dynamic', allow: rules('10.43.0.0/16:443') })).toBe('allow 10.43.0.0/16:443');
  });
});

describe(isVerdict, () => {
  it.each<[ErrorCode, boolean, boolean]>([
    ['target_refused', true, false],
    ['target_unreachable', true, false],
    ['forward_denied', true, true],
    ['connection_reset', false, false],
  ])('%s: on a local tunnel %s, on a dynamic one %s', (code, local, dynamic) => {
    const error = new TunnelError(code, 'x');
    expect([isVerdict('local', error), isVerdict('dynamic', error)]).toEqual([local, dynamic]);
  });

  it('takes no error of a rejected client as a verdict', () => {
    const error = new TurnedAway('forward_denied', 'allow does not cover that');
    expect([isVerdict('local', error), isVerdict('dynamic', error)]).toEqual([false, false]);
  });
});
