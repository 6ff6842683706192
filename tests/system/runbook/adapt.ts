/** The waiting times of the page, and those of the test. */
const TIMES = new Map([
  ['every: 10s', 'every: 1s'],
  ['quiet_for: 24h', 'quiet_for: 3s'],
  ['healthy_for: 1h', 'healthy_for: 1s'],
  ['verify_for: 30s', 'verify_for: 2s'],
  // Between two looks of the daemon for the workstation are 27 s or more.
  ['--window 24h', '--window 20s'],
]);

/** Shortens the waiting times of a page. Throws if the page has none of a kind, because a block may then wait for a day. Pure. */
export function shortened(page: string): string {
  return [...TIMES].reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`the page has no "${from}"`);
    return changed.replaceAll(from, to);
  }, page);
}
