import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fingerprint, generateKey, hashKnownHosts, keygen } from '../../support/certificates/keys.ts';
import { has } from '../../support/machine/capabilities.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { descendantsOf } from '../../support/machine/proc.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { startSshAgent } from '../../support/peers/ssh-agent.ts';

describe.skipIf(!has('ssh-agent') || !has('ssh-keygen'))('keys and the agent of the lab', () => {
  it('holds the keys it was given, and is gone afterwards', async () => {
    using temp = tempDir('keys');
    const key = generateKey(join(temp.path, 'id'), { type: 'ecdsa' });
    const before = descendantsOf(process.pid);
    {
      await using agent = await startSshAgent();
      await agent.add(key.path);
      const listed = execFileSync(requireProgram('ssh-add'), ['-l'], {
        env: { ...process.env, ...agent.env },
        encoding: 'utf8',
      });
      expect(listed).toContain(key.fingerprint);
    }
    expect(descendantsOf(process.pid)).toEqual(before);
  });

  it('encrypts a key and hashes the names of a known_hosts file', () => {
    using temp = tempDir('keys');
    const key = generateKey(join(temp.path, 'id'), { passphrase: 'open sesame' });
    expect(() => keygen('-y', '-P', 'wrong', '-f', key.path)).toThrow();
    expect(keygen('-y', '-P', 'open sesame', '-f', key.path)).toContain(key.publicKey);
    expect(fingerprint(key.path)).toBe(key.fingerprint);

    const known = join(temp.path, 'known_hosts');
    writeFileSync(known, `[127.0.0.1]:2222 ${key.publicKey}\n`);
    hashKnownHosts(known);
    expect(keygen('-F', '[127.0.0.1]:2222', '-f', known)).toContain('|1|');
  });
});
