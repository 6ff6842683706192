import { isIP } from 'node:net';
import { loss, note, type Remark, type SshEntry, type SshOption } from './entry.ts';

/** Keywords that `translate.ts` translates, or remarks on itself. */
const TRANSLATED = new Set(
  [
    'hostname user port identityfile proxyjump proxycommand userknownhostsfile serveraliveinterval serveralivecountmax',
    'connecttimeout localforward remoteforward dynamicforward gatewayports hostkeyalias clearallforwardings',
  ].flatMap((line) => line.split(' ')),
);

/** Keywords without effect for a daemon that only forwards, with one key and no terminal. Their values are dropped. */
const NEEDLESS = new Set(
  [
    'addkeystoagent batchmode checkhostip connectionattempts controlmaster controlpath controlpersist',
    'enableescapecommandline escapechar exitonforwardfailure forkafterauthentication forwardagent forwardx11',
    'forwardx11timeout forwardx11trusted gssapiauthentication gssapidelegatecredentials hashknownhosts identitiesonly',
    'kbdinteractiveauthentication challengeresponseauthentication loglevel numberofpasswordprompts passwordauthentication',
    'requesttty sendenv sessiontype setenv stdinnull syslogfacility logverbose fingerprinthash obscurekeystroketiming tag',
    'tcpkeepalive updatehostkeys visualhostkey warnweakcrypto xauthlocation permitlocalcommand ignoreunknown',
  ].flatMap((line) => line.split(' ')),
);

/** Values that stand for the default: a keyword with such a value changes nothing. */
const HARMLESS: Readonly<Record<string, RegExp>> = {
  addressfamily: /^any$/,
  bindaddress: /^$/,
  canonicalizehostname: /^(no|none|false)$/,
  certificatefile: /^none$/,
  globalknownhostsfile: /^(none|\/dev\/null)$/,
  hostbasedauthentication: /^(no|false)$/,
  identityagent: /^SSH_AUTH_SOCK$/,
  knownhostscommand: /^none$/,
  nohostauthenticationforlocalhost: /^(no|false)$/,
  pkcs11provider: /^none$/,
  proxyusefdpass: /^(no|false)$/,
  pubkeyauthentication: /^(yes|true|unbound|host-bound)$/,
  preferredauthentications: /(^|,)publickey(,|$)/,
  remotecommand: /^none$/,
  securitykeyprovider: /^internal$/,
  tunnel: /^(no|false)$/,
  tunneldevice: /^any(:any)?$/,
  verifyhostkeydns: /^(no|false|ask)$/,
};

/** Keywords that change neither where nor how ssh connects, with the difference. */
const DIFFERENT: Readonly<Record<string, string>> = {
  compression: 'fleet-mesh sends data without compression',
  ipqos: 'fleet-mesh sets no type of service',
  rekeylimit: 'fleet-mesh leaves the time of a key exchange to the two sides',
  streamlocalbindunlink: 'fleet-mesh removes only a socket that no process listens on',
};

/** Keywords whose values may contain secrets. */
const SECRETIVE = new Set(['remotecommand', 'localcommand', 'knownhostscommand', 'setenv', 'proxycommand']);

/** Remarks on settings that are not translated. A setting without a rule counts as a loss. */
export function remarksOn({ options, destination }: Pick<SshEntry, 'options' | 'destination'>): Remark[] {
  const effective = options.filter(
    ({ keyword }, index) => options.findIndex((other) => other.keyword === keyword) === index,
  );
  const others = effective.filter(({ keyword }) => !TRANSLATED.has(keyword));
  const needless = others.filter(({ keyword }) => NEEDLESS.has(keyword));
  return [
    ...(needless.length === 0 ? [] : [note(`fleet-mesh does not need ${needless.map(shown).join(', ')}.`)]),
    ...others.flatMap((option) => (NEEDLESS.has(option.keyword) ? [] : remarkOn(option, options, destination))),
  ];
}

function remarkOn(option: SshOption, all: readonly SshOption[], destination: string): Remark[] {
  const { keyword, value } = option;
  const lower = value.toLowerCase();
  if (HARMLESS[keyword]?.test(keyword === 'identityagent' ? value : lower)) return [];
  const difference = Object.hasOwn(DIFFERENT, keyword) ? DIFFERENT[keyword] : undefined;
  if (difference !== undefined) {
    return /^(no|false|none)$/.test(lower) ? [] : [note(`${shown(option)} is left out: ${difference}.`)];
  }
  switch (keyword) {
    case 'stricthostkeychecking':
      if (lower === 'yes' || lower === 'true' || lower === 'ask') return [];
      return [
        note(`${shown(option)} is left out: fleet-mesh accepts no unknown host key. Add the key to known_hosts first.`),
      ];
    case 'localcommand':
      if (!all.some((each) => each.keyword === 'permitlocalcommand' && /^(yes|true)$/i.test(each.value))) return [];
      break;
    case 'addressfamily': {
      const address = all.find((each) => each.keyword === 'hostname')?.value ?? destination;
      if (isIP(address) === (lower === 'inet' ? 4 : 6)) return [];
      break;
    }
  }
  return [loss(`${shown(option)} is not translated.`)];
}

/** The setting as written in ssh_config; values that may be secrets are left out. */
function shown({ keyword, value }: SshOption): string {
  return SECRETIVE.has(keyword) || /:\/\/[^/\s]*@/.test(value) ? keyword : `${keyword}=${value}`;
}
