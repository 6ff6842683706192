/**
 * The warnings for an operator although no tunnel is down, by code, with cause and remedy in one or two sentences. The
 * codes are public: `/status`, metrics, `check --json`.
 */
export const ADVISORIES = {
  wireguard_threshold: {
    cause: 'The node has more than five tunnels.',
    remedy: 'Evaluate WireGuard for this node.',
  },
  exception_expiring: {
    cause: 'An exception of the plan expires soon.',
    remedy: 'Fix the exempted setting and remove the exception, or have the exception approved again.',
  },
  exception_expired: {
    cause: 'An exception of the plan has expired.',
    remedy: 'Fix the exempted setting and remove the exception, or have the exception approved again.',
  },
  exception_unknown: {
    cause:
      'The static key of an actor refers to an exception that the plan does not have, or that covers another actor.',
    remedy: 'Correct `fallback.exception`, or add the exception to the plan.',
  },
  frozen_host: {
    cause: 'A production tunnel uses a host that the plan marks as frozen.',
    remedy: 'Move the tunnel to another host, or add an approved exception to the plan.',
  },
  static_key: {
    cause: 'An automation uses, or may use, a static key instead of a certificate without a valid exception.',
    remedy: 'Set `cert_command`, or add an approved exception to the plan.',
  },
  workstation_route: {
    cause: 'A production tunnel runs on a workstation or goes through one.',
    remedy: 'Choose another host or another route for the tunnel.',
  },
  listener_exposed: {
    cause: 'A tunnel or the endpoint listens on an address that other machines can reach.',
    remedy: 'Listen on a loopback address such as 127.0.0.1, or let a firewall permit only the intended clients.',
  },
  workload_incomplete: {
    cause: 'A workload of the plan has no target or no owner.',
    remedy: 'Add the target and the owner to the plan.',
  },
  identity_not_last: {
    cause: 'The plan moves other services after the identity service.',
    remedy: 'Change `requires` of the waves, so that the wave of the identity service comes last.',
  },
  step_unknown: {
    cause: '`drain.step` of a tunnel refers to a step that the plan does not have.',
    remedy: 'Correct `drain.step`, or add the step to the plan.',
  },
  step_done: {
    cause: 'The plan step that retires a tunnel is done, but the tunnel is still configured.',
    remedy: 'Remove the tunnel from the configuration.',
  },
  gate_bypassed: {
    cause: 'A plan step is done although a gate that blocks the step is not approved.',
    remedy: 'Record the approval of the gate in the plan: who, when and evidence.',
  },
  plan_unusable: {
    cause: 'The plan file cannot be read or has errors. The previous plan stays in force, if there is one.',
    remedy: 'Run `fleet-mesh check` and correct the errors.',
  },
  control_unavailable: {
    cause: 'The control socket cannot be used, so the daemon takes no commands. Tunnels are not affected.',
    remedy: 'Check the directory of `control.socket` and the message of the advisory.',
  },
  evidence_unavailable: {
    cause: 'The daemon cannot write the evidence log. New entries wait in memory. Tunnels are not affected.',
    remedy: 'Check free space and permissions of `state_dir`.',
  },
  state_unwritten: {
    cause: 'The newest content of a state file is not on the disk. A restart would bring an older state back.',
    remedy: 'Check free space and permissions of `state_dir`. The daemon writes the file as soon as the disk takes it.',
  },
  state_lost: {
    cause: 'The evidence knows more about a tunnel than its state file, which was removed or damaged.',
    remedy:
      'Follow the message: `fleet-mesh up`, `retire` or `cutover` with the tunnel decides. Find out who changed `state_dir`.',
  },
  state_dir_moved: {
    cause: 'A reload changed `state_dir`. The daemon stays in the directory of its start.',
    remedy:
      'Stop the daemon, move the directory to the new path, then start the daemon. Or set the old path, and reload.',
  },
  state_dir_lock_weak: {
    cause: 'The kernel cannot lock `state_dir`: the program `flock` is missing, or the file system has no locks.',
    remedy: 'Install `flock` (Debian package util-linux), or set a `state_dir` on a local file system.',
  },
  certificate_without_renewal: {
    cause: 'A certificate has expired or expires soon, and its renewal fails.',
    remedy: 'Run `fleet-mesh why TUNNEL`, then fix `cert_command`.',
  },
  probe_certificate_expiring: {
    cause: 'The TLS certificate that an `https` probe sees has expired or expires soon.',
    remedy: 'Renew the certificate of the service, and reload the service.',
  },
  session_replacement_failing: {
    cause:
      'A link serves, but no new SSH session can be made. Once the present sessions are lost, its tunnels are down.',
    remedy: 'Follow the fix in the message; `fleet-mesh why TUNNEL` shows the same. Then run `fleet-mesh reload`.',
  },
  production_stopped: {
    cause: 'An operator took a production tunnel out of service.',
    remedy: 'Run `fleet-mesh up TUNNEL`, or remove the tunnel from the configuration.',
  },
  static_key_in_use: {
    cause: 'A link uses its static key, because no valid certificate is available.',
    remedy: 'Fix `cert_command`. The daemon then returns to certificates by itself.',
  },
  static_key_removable: {
    cause: 'The static key of an actor has not been needed for some time.',
    remedy: 'Remove `fallback` from the actor and delete the key.',
  },
  tunnel_retired: {
    cause: 'A tunnel is retired but still configured. The daemon does not connect the tunnel.',
    remedy: 'Remove the tunnel from the configuration once no client needs the local port.',
  },
  retirement_unreadable: {
    cause: 'The record of retired tunnels cannot be read.',
    remedy: 'Repair or restore the file that the message names.',
  },
} as const;

export type AdvisoryCode = keyof typeof ADVISORIES;

export const ADVISORY_CODES = Object.keys(ADVISORIES) as readonly AdvisoryCode[];

export interface Advisory {
  readonly code: AdvisoryCode;
  /** One line about the present facts. */
  readonly message: string;
  /**
   * The trouble, if its message may change while the trouble lasts, for example because of a count or an error text.
   * The log and the webhooks tell the same code and subject once. Without a subject, another message is another trouble.
   */
  readonly subject?: string | undefined;
}
