/**
 * Wave 2 of `config/drain-plan.yaml` and the steps of wave 1 that it needs, in the state of 2026-07-03. The demo plays the
 * rest.
 */
export const WAVE_PLAN = `version: 1

frozen:
  coulombcore: { since: 2026-07-03, policy: canon/standards/coulombcore-production-freeze_v0.1.md }

gates:
  - id: state-hub-cutover
    title: State Hub railiance01 cutover approval
    owner: operator
    workplan: CUST-WP-0011-T07
    blocks: ["2.2"]

waves:
  - id: 1
    title: Source forge + CI runners
    requires: []
    steps:
      - id: "1.4"
        action: Actions runners for state-hub, core-hub, activity-core, issue-core
        done: { at: 2026-07-02, evidence: the tag v1.4.0 made an image }
      - id: "1.5"
        action: Gitea -> read-only mirror on coulombcore

  - id: 2
    title: State Hub primary + sweep checkouts on railiance01
    requires: [1]
    steps:
      - id: "2.1"
        action: CNPG + storage review on railiance01
        done_when: Platform sign-off
      - id: "2.2"
        action: CUST-WP-0011-T07 cutover to railiance01 primary
        done_when: Row counts match
      - id: "2.3"
        action: Clone/register 74 repos on railiance01 from Forgejo
      - id: "2.4"
        action: Retire fleet tunnel fleet-state-hub-coulombcore
        done_when: activity-core reaches hub without coulombcore hop

exceptions:
  - id: fleet-mesh-systemd-tunnels
    covers: { tunnels: [fleet-state-hub-coulombcore] }
    reason: Wave 2/4 not complete; railiance01 reaches coulombcore ClusterIPs
    until: { condition: waves 2 and 4 are done }
    rollback: Re-enable workstation reverse tunnels per docs/fleet-mesh-dehub-runbook.md
    approval: CUST-WP-0054-T02 cutover 2026-07-03
  - id: static-id-ops-railiance01
    covers: { actor: atm-fleet-mesh }
    reason: atm-fleet-mesh cert_command blocked on VAULT_TOKEN
    until: { condition: warden sign is available }
    rollback: ops-bridge or rotated key
    approval: CUST-WP-0054-T02 interim
`;
