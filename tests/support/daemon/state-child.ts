import { writeAtomically } from '../../../src/base/files/write-atomically.ts';
import { CertificateStore } from '../../../src/tunnels/credential/certificate-store.ts';

/**
 * A process that saves a certificate in the state directory `argv[2]`, with its own mounts. Prints the outcomes
 * `{ checked, saved, written, loaded }`: a code and a message, or `ok`.
 */
const store = new CertificateStore(process.argv[2] ?? '', 'atm');
const outcome = (task: Promise<unknown>) =>
  task.then(
    () => 'ok',
    (error: unknown) =>
      error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : String(error),
  );
const checked = await outcome(store.checkWritable());
const saved = await outcome(store.save('new'));
const written = await outcome(writeAtomically(`${store.directory}/large`, Buffer.alloc(1024 * 1024)));
process.stdout.write(JSON.stringify({ checked, saved, written, loaded: await store.load() }));
