import { expect, test } from 'vitest';
import { Roster } from '../../../../src/tunnels/link/roster.ts';
import { credentialFacts, FakeSession } from '../../../support/fakes/fake-link.ts';

function rosterWith(versions: readonly number[]) {
  const roster = new Roster();
  const facts = (version: number) => ({
    ...credentialFacts('agent', { type: 'agent', fingerprint: undefined }),
    version,
  });
  return { roster, held: versions.map((version) => roster.add(new FakeSession(), facts(version), roster.generation)) };
}

test('tells why a session left its service', () => {
  const { roster, held } = rosterWith([0, 1, 1, 1]);
  const why = () => held.map((one) => roster.whyLeft(one));
  expect(why()).toEqual([undefined, undefined, undefined, undefined]);
  roster.supersede(1);
  roster.shed(2, 0);
  const [, , second] = held;
  expect(why()).toEqual(['a newer credential exists', undefined, undefined, 'other sessions serve in its place']);
  if (second) roster.retire(second, 0);
  expect(why()[2]).toBe('the certificate of the session expired, or drain_timeout is over');
  roster.nextGeneration();
  expect(new Set(why())).toEqual(new Set(['the settings of the link changed']));
});
