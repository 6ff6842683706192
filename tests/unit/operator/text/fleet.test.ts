import { expect, it } from 'vitest';
import { fleetText } from '../../../../src/operator/text/fleet.ts';
import { fleetFixture, fleetNode, silentNode } from '../../../support/fakes/fleet-fixture.ts';

it('shows one table of this node and the others, and the reason and the fix of each trouble', () => {
  const hour = new Date('2026-07-20T09:00:00Z');
  const nodes = [
    fleetNode({ state: 'degraded', reason: 'tunnel db is down' }),
    silentNode({ host: 'old', node: 'old', answered_at: hour }),
    silentNode({ host: 'new' }),
  ];
  expect(fleetText(fleetFixture(nodes))).toBe(
    `${[
      'HOST         NODE         STATE      TUNNELS UP  LAST ANSWER  VERSION',
      '(this node)  railiance01  up         0 of 0      now          0.1.0',
      'coulombcore  coulombcore  degraded   1 of 2      now          0.1.0',
      'old          old          no answer  -           1h ago       -',
      'new          -            no answer  -           never        -',
      '',
      'coulombcore: tunnel db is down',
      'old: no answer: the host refused the connection [target_refused]',
      '  fix: Start fleet-mesh.',
      'new: no answer: the host refused the connection [target_refused]',
      '  fix: Start fleet-mesh.',
    ].join('\n')}\n`,
  );
});

it('says if there is no other node, and names the nodes that were not asked', () => {
  expect(fleetText(fleetFixture([]))).toContain('\nNo link leads to another node');
  expect(fleetText({ ...fleetFixture(), not_asked: ['n64', 'n65'] })).toContain('not asked, too many nodes: n64, n65');
});

it('lets no name of another node play with the terminal', () => {
  const text = fleetText(fleetFixture([fleetNode({ node: '\u202e\u001b[2J', reason: 'a\nb' })]));
  expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(text).toContain('a b');
});
