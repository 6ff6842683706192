import type { SshOption } from './entry.ts';

/** Keywords that `translate.ts` translates. */
const TRANSLATED = new Set(
  [
    'hostname user port identityfile proxyjump userknownhostsfile serveraliveinterval serveralivecountmax connecttimeout',
    'localforward remoteforward dynamicforward gatewayports',
  ].flatMap((line) => line.split(' ')),
);

/** Keywords without effect for a daemon that only forwards, with one key and no terminal. Their values are dropped. */
const NEEDLESS = new Set(
  [
    'addkeystoagent batchmode checkhostip clearallforwardings connectionattempts controlmaster controlpath controlpersist',
    'enableescapecommandline escapechar exitonforwardfailure forkafterauthentication forwardagent forwardx11',
    'forwardx11timeout forwardx11trusted gssapiauthentication gssapidelegatecredentials hashknownhosts identitiesonly',
    'kbdinteractiveauthentication challengeresponseauthentication loglevel numberofpasswordprompts passwordauthentication',
    'permitlocalcommand preferredauthentications pubkeyauthentication requesttty sendenv sessiontype setenv stdinnull',
    'tcpkeepalive updatehostkeys visualhostkey xauthlocation',
  ].flatMap((line) => line.split(' ')),
);

/** Remarks on settings that are not translated. */
export function remarksOn(options: readonly SshOption[]): string[] {
  const needless = options.filter(({ keyword }) => NEEDLESS.has(keyword));
  const others = options.filter(({ keyword }) => !TRANSLATED.has(keyword) && !NEEDLESS.has(keyword));
  return [
    ...(needless.length === 0
      ? []
      : [`not needed in fleet-mesh: ${needless.map(({ keyword, value }) => `${keyword}=${value}`).join(' ')}`]),
    ...others.flatMap(remarkOn),
  ];
}

function remarkOn({ keyword, value }: SshOption): string[] {
  if (keyword === 'stricthostkeychecking') {
    if (value === 'yes' || value === 'true' || value === 'ask') return [];
    return [`stricthostkeychecking=${value}: fleet-mesh accepts no unknown host key; add the key to known_hosts first`];
  }
  return [`not translated: ${keyword}=${value}`];
}
