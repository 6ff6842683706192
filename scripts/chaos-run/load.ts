import { setTimeout as pause } from 'node:timers/promises';
import type { Stage } from '../../tests/faults/stage.ts';
import { startPythonClient } from '../../tests/support/clients/python-client.ts';
import { type LoopResult, startRequestLoop } from '../../tests/support/clients/request-loop.ts';
import { echoOnce } from '../../tests/support/clients/steady-client.ts';
import { pacedPrefixDigest } from '../../tests/support/peers/paced-source.ts';

export interface LoadResult extends LoopResult {
  /** Long streams: cut by a fault with a reset, complete, or described in `wrong` if they ended in another way. */
  readonly streams: {
    /** performance.now() of the end of each cut stream. */
    readonly cut: readonly number[];
    readonly whole: number;
    readonly wrong: readonly string[];
  };
}

export interface Load {
  /** performance.now() at the beginning of the last served steady request. */
  lastServedAt(): number;
  stop(): Promise<LoadResult>;
}

/** Longer than any fault lasts, so that a client never gives up early. */
const PATIENCE_MS = 30_000;
const STREAM_ENDS_WITHIN_MS = 20_000;
const BURST = 20;
const BURST_EVERY_MS = 500;

/** Steady load: over one tunnel a request every 20 ms and bursts, over the other a long stream with a checksum. */
export function startLoad({ mesh, source }: Stage): Load {
  const loop = startRequestLoop(mesh.port('echo'), 20, PATIENCE_MS);
  let stopped = false;
  let stop: () => void = () => {};
  const stopping = new Promise<void>((resolve) => {
    stop = resolve;
  });

  const bursts = async () => {
    const failures: { from: number; to: number; why: string }[] = [];
    let served = 0;
    let slowestMs = 0;
    const one = async () => {
      const from = performance.now();
      try {
        slowestMs = Math.max(slowestMs, await echoOnce(mesh.port('echo'), 'burst', PATIENCE_MS));
        served += 1;
      } catch (error) {
        failures.push({ from, to: performance.now(), why: String(error) });
      }
    };
    while (!stopped) {
      await Promise.all([...Array.from({ length: BURST }, one), pause(BURST_EVERY_MS)]);
    }
    return { failures, served, slowestMs };
  };

  const streaming = async () => {
    const streams = { cut: [] as number[], whole: 0, wrong: [] as string[] };
    while (!stopped) {
      await using client = startPythonClient({ port: mesh.port('stream'), timeoutMs: 24 * 3_600_000 });
      const over = await Promise.race([client.result, stopping.then(() => pause(STREAM_ENDS_WITHIN_MS))]);
      if (over === undefined) {
        streams.wrong.push(`no end and no reset: ${JSON.stringify((await mesh.daemon.status()).tunnels[1]?.usage)}`);
        break;
      }
      const { end, bytes, sha256 } = over;
      if (bytes > 0 && sha256 !== pacedPrefixDigest(bytes)) streams.wrong.push(`altered within ${bytes} bytes`);
      else if (end === 'fin' && !stopped) streams.wrong.push(`a clean end after ${bytes} bytes of an endless stream`);
      else if (end === 'fin') streams.whole += 1;
      else if (end === 'rst') streams.cut.push(performance.now());
      else streams.wrong.push(`${end} after ${bytes} bytes`);
    }
    return streams;
  };

  const running = Promise.all([bursts(), streaming()]);
  return {
    lastServedAt: loop.lastServedAt,
    stop: async () => {
      stopped = true;
      stop();
      source.finish();
      const [steady, [extra, streams]] = await Promise.all([loop.stop(), running]);
      return {
        served: steady.served + extra.served,
        failures: [...steady.failures, ...extra.failures],
        slowestMs: Math.max(steady.slowestMs, extra.slowestMs),
        streams,
      };
    },
  };
}
