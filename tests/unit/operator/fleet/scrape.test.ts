import { describe, expect, it } from 'vitest';
import { scrapeOf, scrapeTargetsOf } from '../../../../src/operator/fleet/scrape.ts';
import { fleetNode, silentNode } from '../../../support/fakes/fleet-fixture.ts';
import { tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const host = { name: 'coulombcore', address: '192.0.2.7' };
const endpoint = { kind: 'tcp', host: '127.0.0.1', port: 9780 } as const;
const tunnel = tunnelFixture({
  host: 'coulombcore',
  direction: 'local',
  listen: '0.0.0.0:19780',
  target: 'localhost:9780',
  state: 'up',
  route: 'tunnel',
});

describe('the address that Prometheus scrapes', () => {
  it('is the local port of a tunnel to the endpoint', () => {
    const scraped = { target: '127.0.0.1:19780', via: 'tunnel' };
    expect(scrapeOf(host, endpoint, [tunnel])).toEqual(scraped);
    // A tunnel that is down comes back: the target stays.
    expect(scrapeOf(host, endpoint, [{ ...tunnel, state: 'down' }])).toEqual(scraped);
  });

  it.each([
    ['to another host', { host: 'other' }],
    ['to another port', { target: '127.0.0.1:9781' }],
    ['to another machine', { target: '192.0.2.9:9780' }],
    ['on a Unix socket', { listen: 'unix:/run/x.sock' }],
    ['of the other direction', { direction: 'remote' as const }],
    ['out of service', { state: 'retired' as const }],
    ['that leads to a successor', { route: 'successor' as const }],
  ])('is not the port of a tunnel %s', (_, change) => {
    expect(scrapeOf(host, endpoint, [{ ...tunnel, ...change }])).toEqual({ target: '192.0.2.7:9780', via: 'host' });
  });

  it('is the endpoint itself if that is no loopback address', () => {
    const beyond = { ...endpoint, host: 'fd00::7' };
    expect(scrapeOf(host, beyond, [tunnel])).toEqual({ target: '[fd00::7]:9780', via: 'host' });
  });
});

describe('the targets for Prometheus', () => {
  it('name the host as this node knows it, and what the node says as meta labels', () => {
    expect(scrapeTargetsOf({ nodes: [fleetNode({ node: 'i-am-another' })] })).toEqual([
      {
        targets: ['127.0.0.1:19780'],
        labels: {
          node: 'coulombcore',
          __meta_fleet_mesh_host: 'coulombcore',
          __meta_fleet_mesh_node: 'i-am-another',
          __meta_fleet_mesh_version: '0.1.0',
          __meta_fleet_mesh_state: 'up',
          __meta_fleet_mesh_via: 'tunnel',
        },
      },
    ]);
  });

  it('keep a node that answers no more, and leave out a host that has never answered', () => {
    const nodes = [silentNode({ host: 'gone', answered_at: new Date() }), silentNode({ host: 'no-daemon' })];
    const targets = scrapeTargetsOf({ nodes });
    expect(targets).toMatchObject([{ labels: { node: 'gone', __meta_fleet_mesh_state: 'unknown' } }]);
  });

  it('leave out a guess on loopback, where the daemon of this node answers', () => {
    const scrape = (target: string, via: 'tunnel' | 'host') => fleetNode({ scrape: { target, via } });
    const nodes = [scrape('127.0.0.1:9780', 'host'), scrape('[::1]:9780', 'host'), scrape('localhost:9780', 'host')];
    expect(
      scrapeTargetsOf({ nodes: [...nodes, scrape('127.0.0.1:1', 'tunnel'), scrape('h:9780', 'host')] }),
    ).toMatchObject([{ targets: ['127.0.0.1:1'] }, { targets: ['h:9780'] }]);
  });
});
