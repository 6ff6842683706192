import { isDeepStrictEqual } from 'node:util';
import type { WebhookConfig } from '../../config/config.ts';
import type { Status } from '../../telemetry/status/status.ts';
import { Changes } from './changes.ts';
import { Webhook, type WebhookDependencies } from './webhook.ts';

/** Tells the configured webhooks about changes of the node. Without webhooks it does nothing. */
export class Notifier {
  readonly #dependencies: WebhookDependencies;
  #configured: readonly WebhookConfig[] = [];
  #webhooks: readonly Webhook[] = [];
  #changes = new Changes();
  #running = new AbortController();

  constructor(dependencies: WebhookDependencies) {
    this.#dependencies = dependencies;
  }

  /** Applies the webhooks of a configuration. A changed webhook starts without the notices that waited. */
  configure(webhooks: readonly WebhookConfig[]): void {
    if (isDeepStrictEqual(webhooks, this.#configured)) return;
    this.stop();
    this.#running = new AbortController();
    this.#configured = webhooks;
    this.#webhooks = webhooks.map((webhook) => new Webhook(webhook, this.#running.signal, this.#dependencies));
    if (webhooks.length === 0) this.#changes = new Changes();
  }

  /** Call this about once a second. `snapshot` is only taken if a webhook is configured. */
  tick(snapshot: () => Status): void {
    if (this.#webhooks.length === 0) return;
    for (const notice of this.#changes.observe(snapshot(), performance.now())) {
      for (const webhook of this.#webhooks) webhook.send(notice);
    }
  }

  /** Ends every delivery at once. */
  stop(): void {
    this.#running.abort();
  }
}
