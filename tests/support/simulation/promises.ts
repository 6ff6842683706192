/** What must hold in every run. */
export const PROMISES = [
  'never retirable unless it is so',
  'never retired unless it is so',
  'never retired with the route on the tunnel',
  'never two owners of a port',
  'no port without an owner',
  'all doors agree',
  'disk and memory agree',
  'nothing confirmed is lost',
  'the chain is unbroken',
  'the chain tells of tampering',
  'a second daemon is refused and changes nothing',
  'every command ends',
  'everything converges',
  'nothing throws',
] as const;
export type Promised = (typeof PROMISES)[number];

/** A promise that did not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
  /** Which promise: the same for every way to break it. */
  readonly promise: Promised;

  constructor(promise: Promised, details: string) {
    super(`${promise}: ${details}`);
    this.promise = promise;
  }
}
