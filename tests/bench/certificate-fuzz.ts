import type { Certificate } from '../../src/tunnels/ssh/certificate/certificate.ts';
import { buildCertificate, lineOf } from '../support/certificates/built-certificate.ts';
import { asKeygenLists, keygenListings } from '../support/certificates/keygen-listing.ts';
import { accepted, isComparable, Mutator, seeded } from '../support/certificates/mutated-certificate.ts';
import { tempDir } from '../support/machine/temp-dir.ts';

/**
 * `npx tsx tests/bench/certificate-fuzz.ts [MUTATIONS] [SEED]`: reads so many mutated certificates, a million if not
 * said otherwise, and holds each that we accept against `ssh-keygen -L`. Ends with 1 on the first crash or difference.
 */
const BATCH = 1_000;

function main(mutations: number, seed: number): void {
  using temp = tempDir('fuzz');
  const mutator = new Mutator(seeded(seed));
  const good = lineOf(buildCertificate());
  const startedAt = performance.now();
  let [taken, compared, readMs]: [number, number, number] = [0, 0, 0];
  let batch: Certificate[] = [];
  const compare = () => {
    const listings = keygenListings(
      temp.path,
      good,
      batch.map(({ line }) => line),
    );
    for (const [index, certificate] of batch.entries()) {
      if (asKeygenLists(certificate) === listings[index]) continue;
      throw new Error(`read differently:\n${certificate.line}\n${asKeygenLists(certificate)}\n${listings[index]}`);
    }
    compared += batch.length;
    batch = [];
  };
  for (let count = 0; count < mutations; count++) {
    const line = mutator.line();
    const before = performance.now();
    const certificate = accepted(line);
    readMs += performance.now() - before;
    if (!certificate) continue;
    taken++;
    if (isComparable(certificate)) batch.push(certificate);
    if (batch.length === BATCH) compare();
  }
  compare();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const perRead = ((readMs * 1000) / mutations).toFixed(1);
  process.stdout.write(
    `seed ${seed}: ${mutations} mutations in ${seconds} s, ${perRead} us each to read; ${taken} accepted, ${compared} of ` +
      'them compared with ssh-keygen -L: no crash, no difference\n',
  );
}

const [mutations = '1000000', seed = `${Date.now() % 2 ** 31}`] = process.argv.slice(2);
main(Number(mutations), Number(seed));
