/**
 * The settings of a service that decide what its program and a `cert_command` may do (systemd.exec(5)): user, credentials,
 * environment, sandbox. Without the settings that start, watch and stop the service.
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
 * These settings of a service, in the order of `texts`: its unit file, then its drop-ins. Each is `NAME=VALUE`, a property
 * for systemd-run. An empty value resets earlier values, as in a unit file. Pure.
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
