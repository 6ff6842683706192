import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type StatusOptions, statusCommand } from '../../../../src/operator/commands/status.ts';
import { terminal as lookOf } from '../../../../src/operator/commands/terminal.ts';
import { statusText } from '../../../../src/operator/text/status.ts';
import { decodeStatus } from '../../../../src/telemetry/status/decode-status.ts';
import { tunnelStatus } from '../../../../src/telemetry/status/status.ts';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

let endpoint: RunningEndpoint;
beforeAll(async () => {
  endpoint = await startEndpoint();
});
afterAll(() => endpoint.stop());
beforeEach(() => {
  endpoint.snapshot = statusFixture();
});

function terminal(changes: { isTty?: boolean; columns?: number; env?: Record<string, string> } = {}) {
  const controller = new AbortController();
  const waiting: { text: string; resolve: () => void }[] = [];
  const seen = { out: '', err: '' };
  const heard = () => {
    for (const { text, resolve } of waiting) if ((seen.out + seen.err).includes(text)) resolve();
  };
  const io = {
    out: (text: string) => {
      seen.out += text;
      heard();
    },
    err: (text: string) => {
      seen.err += text;
      heard();
    },
    look: () => {
      const { isTty = false, columns = 0, env = {} } = changes;
      return lookOf({ isTTY: isTty, columns }, env);
    },
    signal: controller.signal,
  };
  const says = (text: string) =>
    new Promise<void>((resolve) => {
      waiting.push({ text, resolve });
      heard();
    });
  return { io, seen, says, end: () => controller.abort(new Error('Ctrl-C')) };
}

async function run(options: StatusOptions, changes: Parameters<typeof terminal>[0] = {}) {
  const { io, seen } = terminal(changes);
  const code = await statusCommand({ endpoint: `127.0.0.1:${endpoint.port}`, ...options }, io);
  return { code, ...seen };
}

/** A TCP server that answers every connection with `answer`, or with nothing. */
async function stub(answer: string | undefined): Promise<{ server: Server; address: string } & AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (answer !== undefined) socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { server, address, [Symbol.asyncDispose]: async () => void server.close() };
}

describe('fleet-mesh status', () => {
  test('prints the table and ends with 0 if all tunnels are up', async () => {
    expect(await run({})).toEqual({ code: 0, out: statusText(statusFixture()), err: '' });
  });

  test('prints the table and ends with 1 if a tunnel is down', async () => {
    endpoint.snapshot = statusFixture({ state: 'down', reason: 'state-hub is down' });
    expect(await run({})).toEqual({ code: 1, out: statusText(endpoint.snapshot), err: '' });
  });

  test('prints the snapshot with --json', async () => {
    const { code, out } = await run({ json: true, endpoint: `${endpoint.url}/` });
    expect([code, decodeStatus(JSON.parse(out))]).toEqual([0, statusFixture()]);
  });

  test('prints one tunnel by its name, and ends with a code for the state of that tunnel', async () => {
    endpoint.snapshot = statusFixture({
      tunnels: [tunnelFixture(), tunnelFixture({ name: 'vault', state: 'degraded' })],
    });
    expect(await run({ name: 'state-hub' })).toMatchObject({ code: 0, out: expect.not.stringContaining('vault') });
    expect(await run({ name: 'vault' })).toMatchObject({ code: 1 });
    expect(tunnelStatus.parse(JSON.parse((await run({ name: 'vault', json: true })).out))).toEqual(
      endpoint.snapshot.tunnels[1],
    );
  });

  test('ends with 4 for an unknown name, and lists the names and the nearest one', async () => {
    const { code, out, err } = await run({ name: 'state-hup' });
    expect([code, out]).toEqual([4, '']);
    expect(err).toBe('fleet-mesh: no tunnel is named "state-hup". Did you mean state-hub? Tunnels: state-hub\n');
  });

  test('names the version of a daemon whose status this program cannot read, and the fix', async () => {
    const paused = { ...tunnelFixture(), state: 'paused' as unknown as 'up' };
    endpoint.snapshot = statusFixture({ version: '99.0.0', tunnels: [paused] });
    const { code, out, err } = await run({});
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/fleet-mesh 99\.0\.0 at \S+ has a status that this program cannot read\nRestart the daemon/);
    expect(err).not.toContain('Is the daemon running');
  });

  test('uses colour only on a terminal, and not with NO_COLOR', async () => {
    const esc = String.fromCharCode(27);
    expect((await run({}, { isTty: true })).out).toContain(esc);
    expect((await run({}, { isTty: true, env: { NO_COLOR: '1' } })).out).not.toContain(esc);
    expect((await run({}, { isTty: false })).out).not.toContain(esc);
  });

  test.each(['nonsense', 'https://127.0.0.1:9780', 'unix:/run/x', '127.0.0.1:0', '127.0.0.1:99999', ''])(
    'rejects --endpoint %s as a usage error',
    async (address) => {
      expect(await run({ endpoint: address })).toMatchObject({ code: 64, out: '' });
    },
  );
});

describe('the endpoint of fleet-mesh status', () => {
  const listen = () => ({ kind: 'tcp' as const, host: '127.0.0.1', port: endpoint.port });

  test('finds the endpoint in the configuration', async () => {
    const paths: string[] = [];
    const endpointOf = async (path: string) => {
      paths.push(path);
      return listen();
    };
    expect(await run({ endpoint: undefined, config: '/etc/x.yaml', endpointOf })).toMatchObject({ code: 0, err: '' });
    expect(paths).toEqual(['/etc/x.yaml']);
  });

  test('connects over loopback to an endpoint that listens on all addresses', async () => {
    const endpointOf = () => ({ ...listen(), host: '0.0.0.0' });
    expect(await run({ endpoint: undefined, config: '/etc/x.yaml', endpointOf })).toMatchObject({ code: 0 });
  });
});

describe('fleet-mesh status with an unreachable daemon', () => {
  test('ends with 2 and a hint if no daemon listens', async () => {
    const gone = await stub(undefined);
    await gone[Symbol.asyncDispose]();
    const { code, out, err } = await run({ endpoint: gone.address });
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(`connection to ${gone.address} refused`);
  });

  test.each([
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n'],
    ['no JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['no snapshot', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['an error', 'HTTP/1.1 503 Nope\r\nContent-Length: 0\r\n\r\n'],
    ['half an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{'],
  ])('ends with 2 and a hint for a bad answer: %s', async (_case, answer) => {
    await using other = await stub(answer);
    const { code, out, err } = await run({ endpoint: other.address });
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^fleet-mesh: .+\n.+\n$/);
  });

  test('ends with 2 after three seconds without an answer', async () => {
    await using silent = await stub(undefined);
    expect(await run({ endpoint: silent.address })).toMatchObject({
      code: 2,
      err: expect.stringContaining('within 3 s'),
    });
  });

  test('ends the wait at Ctrl-C', async () => {
    await using silent = await stub(undefined);
    const { io, end } = terminal();
    const code = statusCommand({ endpoint: silent.address }, io);
    end();
    expect(await code).toBe(2);
  });

  test('accepts unknown fields of a newer daemon', async () => {
    const body = JSON.stringify({ ...statusFixture(), novelty: 1 });
    await using newer = await stub(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(await run({ endpoint: newer.address })).toMatchObject({ code: 0, err: '' });
  });
});

describe('fleet-mesh status --watch', () => {
  test('prints a line for each change with --watch without a terminal, also after a restart of the daemon', async () => {
    const { io, seen, says, end } = terminal();
    const first = await startEndpoint();
    const options = { kind: 'tcp' as const, host: '127.0.0.1', port: first.port };
    const code = statusCommand({ watch: true, endpoint: `127.0.0.1:${first.port}` }, io);
    await says('up, state-hub up');
    await first.stop();
    await says('refused: the daemon is not running');
    await using second = await startEndpoint({ options: { listen: options } });
    second.snapshot = statusFixture({ state: 'down', tunnels: [tunnelFixture({ state: 'down', reason: 'no route' })] });
    await says('down, state-hub down (no route)');
    end();
    expect(await code).toBe(1);
    expect(seen.out.trimEnd().split('\n')).toHaveLength(2);
    expect(seen.err.trimEnd().split('\n')).toHaveLength(1);
  });

  test('redraws the table with --watch on a terminal', async () => {
    const { io, seen, says, end } = terminal({ isTty: true, env: { NO_COLOR: '1' } });
    const code = statusCommand({ watch: true, endpoint: `127.0.0.1:${endpoint.port}` }, io);
    await says('Ctrl-C ends');
    end();
    expect(await code).toBe(0);
    expect(seen.out.startsWith(`${String.fromCharCode(27)}[H`)).toBe(true);
    expect(seen.out).toContain(statusText(statusFixture()));
  });

  test('prints one snapshot per line with --watch --json', async () => {
    const { io, seen, says, end } = terminal({ isTty: true });
    const code = statusCommand({ watch: true, json: true, endpoint: `127.0.0.1:${endpoint.port}` }, io);
    await says('\n');
    end();
    await code;
    expect(decodeStatus(JSON.parse(seen.out))).toEqual(statusFixture());
  });
});
