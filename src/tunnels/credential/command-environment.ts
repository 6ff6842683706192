/**
 * What is the daemon's own and not its commands': systemd's protocols (systemd.exec(5), sd_notify(3), sd_listen_fds(3)),
 * where its credentials, state and sockets are, how its Node runs, and the agent that holds every actor's keys. A command
 * that needs one of these says so itself: `env SSH_AUTH_SOCK=/run/ca-agent ssh-keygen -Us …`.
 */
const OWN = [
  /^(?:NOTIFY_SOCKET|WATCHDOG_\w+|LISTEN_\w+|FDSTORE|MAINPID|MANAGERPID|SYSTEMD_\w+|INVOCATION_ID|JOURNAL_STREAM)$/,
  /^(?:MEMORY_PRESSURE_\w+|REMOTE_\w+|TRIGGER_\w+|SERVICE_RESULT|EXIT_CODE|EXIT_STATUS|MONITOR_\w+|PIDFILE)$/,
  /^(?:CREDENTIALS|ENCRYPTED_CREDENTIALS|RUNTIME|STATE|CACHE|LOGS|CONFIGURATION)_DIRECTORY$/,
  /^(?:NODE_OPTIONS|NODE_V8_COVERAGE|NODE_CHANNEL_\w+|NODE_UNIQUE_ID|NODE_REPL_\w+)$/,
  /^(?:SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_ASKPASS|SSH_ASKPASS_REQUIRE)$/,
];

/**
 * The environment of a `cert_command`: the daemon's without what is the daemon's own. Everything else stays, because the
 * unit is where an operator says `VAULT_ADDR`, `STEPPATH`, `HTTPS_PROXY` or a token for the command.
 */
export function commandEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OWN.some((pattern) => pattern.test(name))));
}
