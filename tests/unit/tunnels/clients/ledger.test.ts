import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Client, UNKNOWN } from '../../../../src/tunnels/clients/client.ts';
import { Ledger, type Stay } from '../../../../src/tunnels/clients/ledger.ts';

const curl: Client = { ...UNKNOWN, process: 'curl', pid: 12, uid: 1000, unit: 'backup.service' };
const at = (ms: number) => new Date(ms);
const came = (since: number): Stay => ({ since, until: undefined, account: undefined });

describe(Ledger, () => {
  it('counts the connections of one client together, whatever its pid, and shows an open one as seen now', () => {
    const ledger = new Ledger();
    const [first, second] = [came(1_000), came(2_000)];
    ledger.count(first, curl);
    ledger.count(second, { ...curl, pid: 13 });
    ledger.end(first, 3_000);
    const entry = { ...curl, pid: 13, open: 1, connections_total: 2 };
    expect(ledger.status(9_000)).toEqual({ clients: [{ ...entry, last_seen_at: at(9_000) }], other_clients: null });
    ledger.end(second, 4_000);
    expect(ledger.status(9_000).clients).toEqual([{ ...entry, open: 0, last_seen_at: at(4_000) }]);
  });

  it.each<[string, Partial<Client>]>([
    ['user', { uid: 0 }],
    ['unit', { unit: 'other.service' }],
    ['pod', { pod: 'p' }],
    ['name', { process: 'wget' }],
    ['address', { address: '10.42.0.5' }],
  ])('keeps another %s apart', (_, other) => {
    const ledger = new Ledger();
    ledger.count(came(1), curl);
    ledger.count(came(2), { ...curl, ...other });
    expect(ledger.status(3).clients).toHaveLength(2);
  });

  it('counts a connection that had ended before its client was known', () => {
    const ledger = new Ledger();
    const stay = came(1_000);
    ledger.end(stay, 1_500);
    ledger.count(stay, UNKNOWN);
    expect(ledger.status(9_000).clients).toMatchObject([{ process: 'unknown', open: 0, last_seen_at: at(1_500) }]);
  });

  it('counts clients that were not looked up with the others', () => {
    const ledger = new Ledger();
    const stay = came(1_000);
    ledger.count(stay, undefined);
    expect(ledger.status(2_000)).toEqual({
      clients: [],
      other_clients: { open: 1, last_seen_at: at(2_000), connections_total: 1 },
    });
  });

  it('drops the least recently seen client, and clients without open connections first', () => {
    const ledger = new Ledger(2);
    const named = (process: string) => ({ ...curl, process });
    const [old, idle, fresh] = [came(1), came(2), came(3)];
    ledger.count(old, named('old but open'));
    ledger.count(idle, named('idle'));
    ledger.end(idle, 2);
    ledger.count(fresh, named('fresh'));
    expect(
      ledger
        .status(9)
        .clients.map(({ process }) => process)
        .sort(),
    ).toEqual(['fresh', 'old but open']);
    expect(ledger.status(9).other_clients).toEqual({ open: 0, last_seen_at: at(2), connections_total: 1 });
  });

  it('stays bounded and loses no connection after any sequence of events', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('count' as const), who: fc.option(fc.nat(9), { nil: undefined }) }),
      fc.record({ kind: fc.constant('end' as const), which: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 80 }), (most, steps) => {
        const ledger = new Ledger(most);
        const open: Stay[] = [];
        let total = 0;
        steps.forEach((each, now) => {
          if (each.kind === 'count') {
            const stay = came(now);
            open.push(stay);
            ledger.count(stay, each.who === undefined ? undefined : { ...UNKNOWN, uid: each.who });
            total++;
          } else if (open.length > 0) {
            const [stay] = open.splice(each.which % open.length, 1);
            if (stay) ledger.end(stay, now);
          }
          const { clients, other_clients } = ledger.status(now);
          const all = [...clients, ...(other_clients === null ? [] : [other_clients])];
          expect(clients.length).toBeLessThanOrEqual(most);
          expect(all.reduce((sum, { connections_total }) => sum + connections_total, 0)).toBe(total);
          expect(all.reduce((sum, entry) => sum + entry.open, 0)).toBe(open.length);
          expect(ledger.open).toBe(open.length);
        });
      }),
    );
  });
});
