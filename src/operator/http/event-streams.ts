import type { ServerResponse } from 'node:http';
import { repeat } from '../../base/async/repeat.ts';
import { visible } from '../../base/text/printable.ts';
import type { Entry } from '../../retirement/evidence/entry.ts';
import { SECURITY_HEADERS } from './problem.ts';

/** Far above what a few people watch with. */
const MOST_STREAMS = 16;
/** The most unread bytes of one client. A client above this limit is disconnected and may resume. */
const MOST_UNREAD = 1024 * 1024;
/**
 * The interval of the keepalive, in milliseconds: well below the idle timeout of the server. A client with unread bytes
 * that takes nothing in two intervals is disconnected, so that its place is free.
 */
const COMMENT_MS = 10_000;

const HEADERS = { ...SECURITY_HEADERS, 'content-type': 'text/event-stream; charset=utf-8', vary: 'accept' };

/** The streams of `text/event-stream` (WHATWG HTML, server-sent events) that are open. */
export class EventStreams {
  readonly #open = new Set<ServerResponse>();
  readonly #commentMs: number;

  constructor(commentMs = COMMENT_MS) {
    this.#commentMs = commentMs;
  }

  get full(): boolean {
    return this.#open.size >= MOST_STREAMS;
  }

  /** Sends stored and new events until the client leaves, falls too far behind, or {@link close}. */
  start(
    response: ServerResponse,
    first: { readonly gap: boolean; readonly entries: readonly Entry[] },
    follow: (follower: (entry: Entry) => void) => () => void,
  ): void {
    this.#open.add(response);
    const over = new AbortController();
    response.on('error', () => {});
    response.writeHead(200, HEADERS);
    const gap = first.gap ? 'event: gap\ndata: {"complete":false}\n\n' : '';
    response.write(`retry: 2000\n\n${gap}${first.entries.map(message).join('')}`);
    const unfollow = follow((entry) => send(response, message(entry)));
    let stalledTicks = 0;
    response.on('drain', () => {
      stalledTicks = 0;
    });
    const tick = async () => {
      stalledTicks = response.writableNeedDrain || response.writableLength > 0 ? stalledTicks + 1 : 0;
      if (stalledTicks > 2) response.destroy();
      else send(response, ':\n\n');
    };
    void repeat(tick, () => this.#commentMs, over.signal);
    response.once('close', () => {
      unfollow();
      over.abort();
      this.#open.delete(response);
    });
  }

  close(): void {
    for (const response of this.#open) response.end();
  }
}

function send(response: ServerResponse, text: string): void {
  if (response.writableEnded) return;
  if (response.writableLength > MOST_UNREAD) response.destroy();
  else response.write(text);
}

/** JSON has no line breaks of its own. */
function message(entry: Entry): string {
  return `id: ${entry.seq}\ndata: ${visible(JSON.stringify(entry))}\n\n`;
}
