import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../scripts/chaos-run/random.ts';
import { HUB } from '../../../support/simulation/fleet.ts';
import { give } from '../../../support/simulation/give.ts';
import { CUTOVER, RETIRE } from '../../../support/simulation/operator.ts';
import { STATE } from '../../../support/simulation/tamper.ts';
import { World } from '../../../support/simulation/world.ts';

/** What happens to one state file while no daemon runs. */
const DAMAGES = [
  'removed',
  'empty',
  'truncated',
  'full of NUL bytes',
  'of a newer version',
  'unreadable',
  'a directory',
  'of another node',
] as const;
type Damage = (typeof DAMAGES)[number];

const OTHER_NODE: Readonly<Record<string, string>> = {
  'retired.json':
    '{"version":1,"tunnels":{"other":{"at":"2026-07-20T10:00:00.000Z","keeps_port":false,"overrides":[]}}}\n',
  'cutover/hub.json':
    '{"version":1,"tunnel":"other","phase":"committed","since":"2026-07-20T10:00:00.000Z","reason":null,"successor":"127.0.0.1:3000"}\n',
  'events.head': `{"seq":4711,"hash":"${'a'.repeat(64)}"}\n`,
  'events.jsonl': `{"seq":1,"at":"2026-07-20T10:00:00.000Z","uptime_ms":0,"event":"daemon.started","version":"1","config_sha256":"","node":"there","machine":"m","prev":"${'0'.repeat(64)}"}\n`,
};

function damage({ disk }: World, file: string, how: Damage): void {
  const path = `${STATE}/${file}`;
  const data = disk.names.get(path)?.data ?? Buffer.alloc(0);
  if (how === 'removed') disk.replace(path, undefined);
  if (how === 'empty') disk.replace(path, Buffer.alloc(0));
  if (how === 'truncated') disk.replace(path, data.subarray(0, data.length >> 1));
  if (how === 'full of NUL bytes') disk.replace(path, Buffer.alloc(data.length));
  const newer = data.toString('utf8').replace('"version":1', '"version":2').replace('"seq"', '"number"');
  if (how === 'of a newer version') disk.replace(path, Buffer.from(newer));
  if (how === 'unreadable') disk.denied.add(path);
  if (how === 'a directory') disk.replace(path, 'directory');
  if (how === 'of another node') disk.replace(path, Buffer.from(OTHER_NODE[file] ?? ''));
}

/** A hub that is cut over and retired, then a damage while no daemon runs, then the next daemon. */
async function lossOf(file: string, how: Damage) {
  await using world = new World({ random: seededRandom(1) });
  const { clock } = world;
  await world.start();
  await clock.run(2_000);
  await give(world, 'cutover', CUTOVER);
  await clock.run(15_000);
  await give(world, 'retire', RETIRE);
  await world.restart('clean', 0, () => damage(world, file, how));
  await clock.run(9_000);
  const { node, disk } = world;
  const told = /"event":"log\.(damaged|head_lost)"/.test(disk.peek(`${STATE}/events.jsonl`) ?? '');
  const codes = node.snapshot().advisories.map(({ code }) => code);
  return {
    retired: node.retirement.retired.of(HUB) !== undefined,
    state: node.snapshot().tunnels.find(({ name }) => name === HUB)?.state,
    route: node.cutovers.junctionOf(HUB).detour ? 'successor' : 'tunnel',
    codes: [...new Set(codes)].toSorted(),
    told,
    text: disk.peek(`${STATE}/${file}`),
  };
}

const RETIRED = { retired: true, state: 'retired', route: 'successor' };

describe('a state file that is damaged while no daemon runs', () => {
  it('keeps a tunnel retired without retired.json, says so, and writes the list again', async () => {
    const found = await lossOf('retired.json', 'removed');
    expect(found).toMatchObject({ ...RETIRED, codes: ['state_lost', 'tunnel_retired'] });
    expect(Object.keys(JSON.parse(found.text ?? '{}').tunnels)).toEqual([HUB]);
  });

  it.each(['empty', 'truncated', 'full of NUL bytes', 'of a newer version', 'unreadable', 'a directory'] as const)(
    'keeps a tunnel retired although retired.json is %s, and leaves the file alone',
    async (how) => {
      const found = await lossOf('retired.json', how);
      expect(found).toMatchObject({ ...RETIRED, codes: ['retirement_unreadable', 'state_lost', 'tunnel_retired'] });
    },
  );

  it('names a tunnel that a readable retired.json of another node brings back', async () => {
    expect(await lossOf('retired.json', 'of another node')).toMatchObject({
      retired: false,
      state: 'up',
      codes: ['state_lost'],
    });
  });

  it.each(DAMAGES)('takes a retired tunnel back into service without its cut-over, and says so: %s', async (how) => {
    expect(await lossOf('cutover/hub.json', how)).toMatchObject({
      retired: false,
      state: 'up',
      route: 'tunnel',
      codes: ['state_lost'],
    });
  });

  it.each(DAMAGES)('keeps a retired tunnel with an events.head that is %s, and tells the evidence', async (how) => {
    expect(await lossOf('events.head', how)).toMatchObject({ ...RETIRED, told: true });
  });

  it.each(['removed', 'empty', 'truncated', 'full of NUL bytes', 'of another node'] as const)(
    'keeps a retired tunnel with an events.jsonl that is %s, and tells the evidence',
    async (how) => {
      expect(await lossOf('events.jsonl', how)).toMatchObject({ ...RETIRED, told: true });
    },
  );

  it.each(['unreadable', 'a directory'] as const)(
    'keeps a retired tunnel while events.jsonl is %s, and says that nothing can be written',
    async (how) => {
      expect(await lossOf('events.jsonl', how)).toMatchObject({
        ...RETIRED,
        codes: ['evidence_unavailable', 'tunnel_retired'],
      });
    },
  );
});
