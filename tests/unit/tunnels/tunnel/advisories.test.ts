import { expect, test } from 'vitest';
import { stoppedAdvisories } from '../../../../src/tunnels/tunnel/advisories.ts';

test('warns of each production tunnel that an operator took out of service, and of no other', () => {
  const since = new Date('2026-11-21T11:59:00.500Z');
  const stopped = [
    { name: 'hub', production: true, since },
    { name: 'lab', production: false, since },
  ];
  expect(stoppedAdvisories(stopped)).toEqual([
    {
      code: 'production_stopped',
      message:
        'production tunnel hub is out of service by an operator since 2026-11-21T11:59:00Z; to start again: `fleet-mesh up hub`',
    },
  ]);
});
