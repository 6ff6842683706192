import ssh2 from 'ssh2';

/**
 * A new, readable ed25519 key in OpenSSH format. About one in three hundred keys of ssh2 1.17.0 is unreadable for ssh2
 * and ssh-keygen.
 */
export function generatedKey(passphrase?: string): { readonly private: string; readonly public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync(
      'ed25519',
      passphrase === undefined ? {} : { passphrase, cipher: 'aes256-ctr', rounds: 1 },
    );
    if (!(ssh2.utils.parseKey(pair.private, passphrase) instanceof Error)) return pair;
  }
}
