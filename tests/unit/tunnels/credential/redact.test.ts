import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastLineRedacted } from '../../../../src/tunnels/credential/redact.ts';

const BASE64 = 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ==';

describe(lastLineRedacted, () => {
  it.each([
    ['', ''],
    ['\n  \n', ''],
    ['first\nsecond\n\n', 'second'],
    ['10 %\r20 %\r', '20 %'],
    ['Error: permission denied for role production', 'Error: permission denied for role production'],
    [
      'open /home/fleet/.ssh/id_ed25519-cert.pub: no such file',
      'open /home/fleet/.ssh/id_ed25519-cert.pub: no such file',
    ],
    ['URL: PUT https://vault.example:8200/v1/ssh-client-signer/sign/production-role. Code: 403', undefined],
    ['CA SHA256:2wFd7mPZg5rQxYyJmQz3oLw2zJtq9k3h8m1o5n7u0Zk is unknown', undefined],
    ['\u001B[31mred\u001B[0m\u202E', '\\u001b[31mred\\u001b[0m\\u202e'],
    ['\0\0\0\0ab\0\0\0', '\uFFFDab\uFFFD'],
  ])('keeps useful words: %j', (output, line) => {
    expect(lastLineRedacted(output)).toBe(line ?? output);
  });

  it.each([
    ['token=abc denied', 'token=[redacted] denied'],
    ['VAULT_TOKEN: abc', 'VAULT_TOKEN: [redacted]'],
    ['{"client_token": "abc def", "x": 1}', '{"client_token": [redacted], "x": 1}'],
    ['bad passphrase: two words', 'bad passphrase: [redacted]'],
    ["password='a b' rejected", 'password=[redacted]'],
    ['the secret is abc', 'the secret is [redacted]'],
    ['Authorization: Bearer abc.def', 'Authorization: [redacted]'],
    ['header bearer abc', 'header bearer [redacted]'],
    ['usage: sign --token abc -password def', 'usage: sign --token [redacted] -password [redacted]'],
    ['got hvs.CAESIJ1', 'got [redacted]'],
    ['got s.abcdefgh', 'got [redacted]'],
    ['eyJhbGciOi.eyJzdWIi.sig', '[redacted]'],
    ['AKIAIOSFODNN7EXAMPLE', '[redacted]'],
    [
      'GET https://me:p@ss/word@ca.example/sign?code=abc&state=1 failed',
      'GET https://[redacted]@ca.example/sign?code=[redacted]&state=[redacted] failed',
    ],
    [`cannot parse ${BASE64}`, 'cannot parse [redacted]'],
    ['digest 5d41402abc4b2a76b9719d911017c592', 'digest [redacted]'],
    [`-----BEGIN OPENSSH PRIVATE KEY-----\n${BASE64}\nshort\n-----END OPENSSH PRIVATE KEY-----\n`, '[redacted]'],
    [`cut\nshort\n-----END OPENSSH PRIVATE KEY-----\n`, '[redacted]'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nshort', '[redacted]'],
    [`key -----BEGIN EC PRIVATE KEY-----\\nshort\\n-----END EC PRIVATE KEY----- bad`, 'key [redacted] bad'],
  ])('redacts a likely secret: %j', (output, line) => {
    expect(lastLineRedacted(output)).toBe(line);
  });

  it('redacts random runs of characters, and returns one short line', () => {
    const secrets = fc.uint8Array({ minLength: 24, maxLength: 64 }).map((bytes) => Buffer.from(bytes));
    const encodings = fc.constantFrom('base64', 'base64url', 'hex');
    fc.assert(
      fc.property(secrets, encodings, fc.string(), fc.string(), (secret, encoding, before, after) => {
        const text = secret.toString(encoding);
        const line = lastLineRedacted(`${before} ${text} ${after}`);
        // Equal bytes may spell a word; random bytes do not.
        fc.pre(new Set(secret).size > 12);
        expect(line).not.toContain(text);
        expect(line.length).toBeLessThanOrEqual(201);
        expect(line).not.toMatch(/[\n\r]/);
      }),
    );
  });
});
