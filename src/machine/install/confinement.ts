/**
 * As whom a service runs, with what in its hands and environment, and within which bounds (systemd.exec(5)): all that
 * decides whether its program, or a `cert_command`, can do what it has to. Not what starts, watches and ends it.
 */
const SETTING = new RegExp(
  `^(?:${[
    'User|Group|SupplementaryGroups|UMask|Environment|EnvironmentFile|PassEnvironment|UnsetEnvironment',
    'LoadCredential|LoadCredentialEncrypted|StateDirectory|StateDirectoryMode',
    'Protect\\w+|Private\\w+|Restrict\\w+|ProcSubset|NoNewPrivileges|LockPersonality|KeyringMode|MemoryDenyWriteExecute',
    'ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|TemporaryFileSystem|BindPaths|BindReadOnlyPaths',
    'CapabilityBoundingSet|AmbientCapabilities|SystemCall\\w+|DevicePolicy|DeviceAllow|IPAddressAllow|IPAddressDeny',
  ].join('|')})=`,
);

/**
 * Those settings of a service, in the order of the texts: its unit file, then its drop-ins. As `NAME=VALUE`, which
 * systemd-run takes as a property; an empty value resets what came before, there as here. Pure.
 */
export function confinementOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    let section = '';
    return text
      .replace(/\\\n/g, ' ')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => {
        section = /^\[(.*)\]$/.exec(line)?.[1] ?? section;
        return section === 'Service' && SETTING.test(line);
      });
  });
}
