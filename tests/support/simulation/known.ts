/**
 * Lies that are known and not fixed yet: a promise, and how its message begins. A run goes on past them. Taking one out makes the
 * simulator find it.
 */
export const KNOWN: readonly (readonly [promise: string, message: string])[] = [
  ['never retirable unless it is so', 'nothing can be written'],
  ['disk and memory agree', 'the committed cut-over'],
  ['nothing throws', 'the daemon does not start within 60 s'],
  ['disk and memory agree', 'retired tunnels'],
  ['nothing confirmed is lost', 'the route tunnel'],
  ['never retired with the route on the tunnel', 'its clients are held'],
];
