import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { findPrometheus } from '../../support/machine/prometheus.ts';

const RULES = 'config/prometheus/fleet-mesh.rules.yml';

const promtool = findPrometheus('promtool');
const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(promtool ?? '', args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
};

interface Rule {
  readonly alert: string;
  readonly annotations: { readonly runbook_url: string };
  readonly labels: { readonly severity: string };
}
const rules: readonly Rule[] = parse(readFileSync(RULES, 'utf8')).groups[0].rules;

test.skipIf(promtool === undefined)('passes `promtool check` with rules and the example of a Prometheus server', () => {
  expect(run('check', 'rules', '--lint=all', '--lint-fatal', RULES)).toMatchObject({ status: 0 });
  expect(run('check', 'config', 'config/prometheus/prometheus.yml')).toMatchObject({ status: 0 });
});

test.skipIf(promtool === undefined)(
  'passes `promtool test rules` with a firing and a silent case of each alert',
  { timeout: 600_000 },
  () => {
    expect(run('test', 'rules', 'config/prometheus/fleet-mesh.rules.test.yml')).toMatchObject({ status: 0 });
    const cases = parse(readFileSync('config/prometheus/fleet-mesh.rules.test.yml', 'utf8')).tests.map(
      ({ alert_rule_test: [{ alertname, exp_alerts: alerts }] }: { alert_rule_test: [Record<string, unknown[]>] }) =>
        `${alertname} ${alerts?.length === 0 ? 'silent' : 'fires'}`,
    );
    for (const { alert } of rules) expect(cases).toEqual(expect.arrayContaining([`${alert} fires`, `${alert} silent`]));
  },
);

test('has a runbook for each alert, with the severity of the rule', () => {
  const page = readFileSync('docs/alerts.md', 'utf8');
  const word: Record<string, string> = { critical: 'Critical.', warning: 'Warning.', info: 'Information.' };
  for (const { alert, annotations, labels } of rules) {
    expect(annotations.runbook_url).toBe(`docs/alerts.md#${alert.toLowerCase()}`);
    expect(page).toContain(`## ${alert}\n\n${word[labels.severity]}`);
  }
  expect(page.match(/^## FleetMesh/gm)).toHaveLength(rules.length);
});
