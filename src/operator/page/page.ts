import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The status page as the endpoint serves it. */
export interface Page {
  readonly html: Buffer;
  /** The Content-Security-Policy: only the scripts and styles in the page itself, and only this endpoint. */
  readonly policy: string;
}

/** Beside this file once built; in a checkout, in the last build. */
const PLACES = ['./index.html', '../../../dist/operator/page/index.html'];

/** Reads the page that `npm run build` made. Undefined if there was no build. */
export function loadPage(): Page | undefined {
  for (const place of PLACES) {
    try {
      const html = readFileSync(new URL(place, import.meta.url));
      return { html, policy: policyOf(html.toString('utf8')) };
    } catch {
      // The next place.
    }
  }
  return undefined;
}

function policyOf(html: string): string {
  const hashes = (tag: 'script' | 'style') =>
    [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))]
      .map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
      .join(' ');
  return [
    "default-src 'none'",
    `script-src ${hashes('script')}`,
    `style-src ${hashes('style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
