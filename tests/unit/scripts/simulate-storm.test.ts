import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../scripts/chaos-run/random.ts';
import { autossh, type Clients, fixedRestart, fleetMesh } from '../../../scripts/simulate-storm-run/clients.ts';
import { plot } from '../../../scripts/simulate-storm-run/plot.ts';
import { markdownTable } from '../../../scripts/simulate-storm-run/report.ts';
import { Server, USUAL_SERVER } from '../../../scripts/simulate-storm-run/server.ts';
import { type Storm, simulateStorm } from '../../../scripts/simulate-storm-run/storm.ts';

type Make = (nodes: number, random: () => number) => Clients;
const ours: Make = (nodes, random) => fleetMesh({ nodes, sessions: 2, random });
const fixed: Make = (_, random) => fixedRestart(5, random);

function storm(nodes: number, seed: number, make: Make, differently: Partial<typeof USUAL_SERVER> = {}): Storm {
  const random = seededRandom(seed);
  const server = { ...USUAL_SERVER, ...differently };
  return simulateStorm({ nodes, server, untilMs: 600_000, noticeMs: 50, random }, make(nodes, random));
}

describe('a storm', () => {
  test.each([1, 2, 3])('is over sooner than with a restart every five seconds, with the seed %i', (seed) => {
    for (const nodes of [100, 500]) {
      const our = storm(nodes, seed, ours).backSeconds ?? Number.POSITIVE_INFINITY;
      expect(our).toBeLessThan(storm(nodes, seed, fixed).backSeconds ?? 0);
      expect(our - USUAL_SERVER.outageMs / 1_000).toBeLessThan(nodes / 20);
    }
  });

  test('is the same for the same seed, and leaves the clock of the process alone', () => {
    const now = performance.now;
    expect(storm(100, 7, ours)).toEqual(storm(100, 7, ours));
    expect(storm(100, 7, ours)).not.toEqual(storm(100, 8, ours));
    expect(performance.now).toBe(now);
  });

  test('brings every node back, also with autossh, and counts each connection', () => {
    for (const make of [ours, fixed, autossh]) {
      const { back, arrivals, attemptsPerLogin, nodes } = storm(100, 1, make);
      expect(back.at(-1)).toBe(nodes);
      const connections = arrivals.reduce((sum, count) => sum + count, 0);
      const logins = make === ours ? 2 * nodes : nodes;
      expect(connections / logins).toBeCloseTo(attemptsPerLogin);
    }
  });

  test('ends when it takes too long', () => {
    const random = seededRandom(1);
    const options = { nodes: 2_000, server: USUAL_SERVER, untilMs: 600_000, noticeMs: 50, random };
    const cut = simulateStorm({ ...options, enough: () => true }, ours(2_000, random));
    expect(cut.backSeconds).toBeUndefined();
    expect(markdownTable([cut])).toContain('| not within ');
  });

  test('is drawn as lines over time', () => {
    const picture = plot([storm(100, 1, ours), storm(100, 1, fixed)], 30);
    expect(picture.match(/<polyline points="[\d., ]+"/g)).toHaveLength(4);
    expect(picture).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('gives up a login that takes too long, and waits a minute when sshd penalises the address', () => {
    const slow = storm(300, 1, ours, { loginMs: 2_000, cores: 1, nodesPerAddress: 300 });
    expect(slow.back.at(-1)).toBeLessThan(300);
    // The nodes behind one address stay away together: some seconds see no connection.
    expect(slow.arrivals.slice(60, 120)).toContain(0);
  });
});

describe('the modelled sshd', () => {
  const at = USUAL_SERVER.outageMs;
  const kinds = (server: Server, count: number) =>
    Array.from({ length: count }, (_, node) => server.connect(node, at + 60 * node).kind);

  test('drops no connection below ten logins, three of ten from there on, and each one at a hundred', () => {
    const options = { ...USUAL_SERVER, loginMs: 1_000_000 };
    expect(kinds(new Server(options, () => 0.999), 100)).toEqual(Array(100).fill('login'));
    expect(kinds(new Server(options, () => 0), 12).slice(9)).toEqual(['login', 'dropped', 'dropped']);
    const full = new Server(options, () => 0.999);
    expect(kinds(full, 101).at(-1)).toBe('dropped');
    full.loggedIn();
    expect(full.connect(0, at + 10_000).kind).toBe('login');
  });

  test('refuses every node of an address after sixteen connections without a login, for a while', () => {
    const server = new Server({ ...USUAL_SERVER, nodesPerAddress: 2 }, () => 0.999);
    for (let time = 0; time < 16; time++) {
      server.connect(0, at);
      server.gaveUp(0, at);
    }
    expect(server.connect(1, at + 500).kind).toBe('penalised');
    expect(server.connect(2, at + 500).kind).toBe('login');
    expect(server.connect(1, at + 1_500).kind).toBe('login');
  });

  test('answers no SYN while its queue is full', () => {
    const server = new Server({ ...USUAL_SERVER, maxStartups: { begin: 0, ratePercent: 100, full: 1 } }, () => 0);
    const burst = Array.from({ length: 200 }, (_, node) => server.connect(node, at).kind);
    expect(burst.filter((kind) => kind === 'lost').length).toBeGreaterThan(50);
  });
});
