import { describe, expect, it } from 'vitest';
import type { Facts } from '../../../../src/machine/install/facts.ts';
import { userPlaces } from '../../../../src/machine/install/places.ts';
import { type InstallOptions, type InstallPlan, planInstall } from '../../../../src/machine/install/plan.ts';
import { recordSchema } from '../../../../src/machine/install/record.ts';
import { describeStep, type Step } from '../../../../src/machine/install/step.ts';
import { planUninstall } from '../../../../src/machine/install/uninstall.ts';
import { wayBack } from '../../../../src/machine/install/way-back.ts';
import { configOf, factsOf, RELEASE } from './facts-of.ts';

const OPTIONS: InstallOptions = { timeoutMs: 60_000, skipDoctor: false };
const OLD = {
  unit: 'old.service',
  active: true,
  enabled: true,
  forwards: [{ direction: 'local', listen: { kind: 'tcp', host: undefined, port: 18_000 } }],
  unknown: [],
} as const;
const RUNS = { active: true, enabled: true };
const SOCKETS = ['fleet-mesh-endpoint.socket', 'fleet-mesh-forward@18000.socket'];

function planned(facts: Facts, options = OPTIONS): InstallPlan {
  const plan = planInstall(facts, options);
  if ('problems' in plan) throw new Error(plan.problems.join());
  return plan;
}

const lines = (steps: readonly Step[]) => steps.map((step) => describeStep(step)[0] ?? '');
const all = ({ files, doctor, switch: switched, tidy }: InstallPlan) => [...files, ...doctor, ...switched, ...tidy];

/** The facts of a node after the plan was carried out. */
function carriedOut(facts: Facts, plan: InstallPlan): Facts {
  const files = new Map(facts.files);
  const links = new Map(facts.links);
  let { record } = facts;
  for (const step of all(plan)) {
    if (step.kind === 'write') files.set(step.path, step.text);
    if (step.kind === 'remove') files.delete(step.path);
    if (step.kind === 'link') links.set(step.path, step.to);
    if (step.kind === 'write' && step.path === facts.places.record) record = recordSchema.parse(JSON.parse(step.text));
  }
  const units = new Map(facts.config === undefined ? [] : (record?.units ?? []).map((name) => [name, RUNS] as const));
  const releases = [...new Set([...facts.releases, facts.release.id])];
  return { ...facts, files, links, record, units, releases, oldUnits: [], newConfig: undefined, takenPorts: new Set() };
}

describe(planInstall, () => {
  it('installs all files before it starts a unit, and runs the doctor in between', () => {
    const plan = planned(factsOf({ newConfig: 'yaml' }));
    expect(lines(plan.files)).toEqual([
      'write  /usr/lib/fleet-mesh/install.json (the record)',
      'copy   /usr/lib/fleet-mesh/releases/1.0.0-aaa',
      'write  /etc/systemd/system/fleet-mesh.service (systemd/system/fleet-mesh.service)',
      'write  /etc/systemd/system/fleet-mesh-forward@.socket (systemd/system/fleet-mesh-forward@.socket)',
      'write  /etc/systemd/system/fleet-mesh-endpoint.socket (systemd/system/fleet-mesh-endpoint.socket)',
      'write  /etc/sysusers.d/fleet-mesh.conf (systemd/sysusers.d/fleet-mesh.conf)',
      'write  /etc/tmpfiles.d/fleet-mesh.conf (systemd/tmpfiles.d/fleet-mesh.conf)',
      'write  /etc/systemd/system/fleet-mesh.service.d/50-sockets.conf:',
      'write  /etc/fleet-mesh/prometheus/fleet-mesh.json:',
      'write  /etc/fleet-mesh/example-tunnels.yaml (config/example-tunnels.yaml)',
      'run    systemd-sysusers /etc/sysusers.d/fleet-mesh.conf',
      'run    systemd-tmpfiles --create /etc/tmpfiles.d/fleet-mesh.conf',
      'write  /etc/fleet-mesh/tunnels.yaml (as given)',
    ]);
    expect(lines(plan.doctor)).toEqual([
      expect.stringMatching(
        /^run {4}fleet-mesh doctor --try-cert-command --no-listen --config \/etc\/fleet-mesh\/tunnels.yaml {3}#/,
      ),
    ]);
    expect(lines(plan.switch)).toEqual([
      'link   /usr/lib/fleet-mesh/current -> releases/1.0.0-aaa',
      'link   /usr/lib/fleet-mesh/dist -> current/dist',
      'link   /usr/local/bin/fleet-mesh -> /usr/lib/fleet-mesh/dist/cli.js',
      'run    systemctl daemon-reload',
      `run    systemctl enable ${SOCKETS.join(' ')} fleet-mesh.service`,
      'run    systemctl start fleet-mesh.service',
      `run    systemctl is-active --quiet ${SOCKETS.join(' ')}`,
      expect.stringContaining('wait --config /etc/fleet-mesh/tunnels.yaml --for up --timeout 60000ms hub'),
    ]);
  });

  it.each<[string, Partial<Facts>]>([
    ['a bare node', { newConfig: 'yaml' }],
    ['a node with an ssh unit', { oldUnits: [OLD], takenPorts: new Set([18_000]) }],
    ['a node without a configuration', { config: undefined }],
    ['a node that needs both drop-ins', { traits: { systemdVersion: 257, speaksNatively: false } }],
    ['a user', { places: userPlaces('/home/me', '/run/user/1'), user: 'me', lingering: true }],
  ])('plans no step the second time: %s', (_, different) => {
    const facts = factsOf(different);
    const plan = planned(facts);
    expect(all(plan).length).toBeGreaterThan(5);
    expect(all(planned(carriedOut(facts, plan)))).toEqual([]);
  });

  it('takes over from an ssh unit in one transaction, and disables the unit once the tunnel is up', () => {
    const { switch: switched, tidy } = planned(factsOf({ oldUnits: [OLD], takenPorts: new Set([18_000]) }));
    const told = lines(switched);
    const passing = switched.filter((step) => step.kind === 'write' && step.path.startsWith('/run/systemd/system/'));
    expect(passing.map((step) => (step.kind === 'write' ? step.text.split('\n').slice(2) : []))).toEqual([
      ['Conflicts=old.service', 'After=old.service', ''],
      ['After=old.service', ''],
      ['After=old.service', ''],
    ]);
    const at = (part: string) => told.findIndex((line) => line.includes(part));
    expect(at('start fleet-mesh.service')).toBeGreaterThan(at('daemon-reload'));
    expect(at('wait --config')).toBeGreaterThan(at('start fleet-mesh.service'));
    expect(at('disable old.service')).toBe(told.length - 1);
    expect(at('wait --config')).toBe(told.length - 2);
    // autossh ends with an error when systemd stops the unit.
    expect(lines(tidy)).toEqual(['run    systemctl reset-failed old.service']);
  });

  it('restarts a running daemon with new sockets, and removes unused sockets', () => {
    const facts = factsOf();
    const first = carriedOut(facts, planned(facts));
    const config = configOf(['other: { listen: 127.0.0.1:18001, target: 10.0.0.5:8000 }']);
    const { switch: switched, before } = planned({ ...first, config });
    const told = lines(switched);
    expect(told.slice(0, 2)).toEqual([
      'run    systemctl disable fleet-mesh-forward@18000.socket',
      'run    systemctl stop fleet-mesh-forward@18000.socket',
    ]);
    expect(told).toContain('run    systemctl restart fleet-mesh.service');
    expect(before).toMatchObject({ running: true, sockets: ['fleet-mesh-forward@18001.socket'] });
  });

  it('keeps two releases, the new one and the previous one', () => {
    const facts = factsOf();
    const first = carriedOut(facts, planned(facts));
    const next = { ...first, release: { ...RELEASE, id: '2' }, releases: ['0.1', '1.0.0-aaa'] };
    expect(lines(planned(next).tidy)).toEqual(['remove /usr/lib/fleet-mesh/releases/0.1/']);
  });

  it('starts nothing without a configuration, and explains the next step', () => {
    const plan = planned(factsOf({ config: undefined }));
    expect([...plan.doctor, ...plan.switch]).toEqual([]);
    expect(plan.notes).toEqual([
      expect.stringContaining('nothing started: /etc/fleet-mesh/tunnels.yaml does not exist'),
    ]);
  });

  it('keeps another program of the same name, also at the removal', () => {
    const facts = factsOf({ commandTaken: true });
    const plan = planned(facts);
    expect(lines(all(plan)).filter((line) => line.includes('/usr/local/bin'))).toEqual([]);
    expect(plan.notes).toEqual([
      '/usr/local/bin/fleet-mesh belongs to another program and stays: use /usr/lib/fleet-mesh/dist/cli.js instead',
    ]);
    const { record, places } = carriedOut(facts, plan);
    if (record === undefined) throw new Error('there is a record');
    const { steps } = planUninstall({ places, record, user: 'root', present: new Set(), dropIns: [] }, true);
    expect(lines(steps)).not.toContain('remove /usr/local/bin/fleet-mesh');
  });

  it('checks only tunnels that replace an ssh unit with --skip-doctor', () => {
    const config = configOf([
      'hub: { listen: 127.0.0.1:18000, target: 10.0.0.5:8000 }',
      'away: { listen: 127.0.0.1:18001, target: 10.0.0.5:8001 }',
    ]);
    const options = { ...OPTIONS, skipDoctor: true };
    const plan = planned(factsOf({ config, oldUnits: [OLD] }), options);
    expect(lines(plan.doctor)).toEqual([expect.stringMatching(/ hub {3}#/)]);
    expect(lines(plan.switch).join('\n')).not.toContain('away');
    expect(planned(factsOf({ config }), options).doctor).toEqual([]);
  });

  it.each<[string, Partial<Facts>, RegExp | undefined]>([
    ['nobody', {}, undefined],
    ['somebody', { takenPorts: new Set([18_000]) }, /port 18000, needed by tunnel hub, is in use/],
    ['somebody', { takenPorts: new Set([9780]) }, /the endpoint/],
    [
      'a unit whose command is unknown',
      {
        takenPorts: new Set([18_000]),
        oldUnits: [{ ...OLD, forwards: [], unknown: ['old.service: the value of $X is unknown.'] }],
      },
      /The forwards of these units are unknown: old\.service: the value of \$X/,
    ],
    ['an ssh unit', { takenPorts: new Set([18_000]), oldUnits: [OLD] }, undefined],
    ['our socket', { takenPorts: new Set([18_000]), units: new Map([[SOCKETS[1] ?? '', RUNS]]) }, undefined],
    ['our daemon', { takenPorts: new Set([18_000, 9780]), units: new Map([['fleet-mesh.service', RUNS]]) }, undefined],
  ])('checks the owner of the port: %s', (_, different, problem) => {
    const plan = planInstall(factsOf(different), OPTIONS);
    const problems = 'problems' in plan ? plan.problems : [];
    expect(problems).toEqual(problem === undefined ? [] : [expect.stringMatching(problem)]);
  });
});

describe(wayBack, () => {
  const options = { failed: true, user: 'me', otherSockets: [] };

  it('undoes every file, link and unit of a first installation', () => {
    const facts = factsOf({ newConfig: 'yaml', oldUnits: [OLD] });
    const plan = planned(facts);
    const back = wayBack(facts.places, plan.before, options);
    const removed = back.files.flatMap((step) => (step.kind === 'remove' ? [step.path] : []));
    for (const step of all(plan)) {
      if (step.kind === 'write' || step.kind === 'link') expect(removed).toContain(step.path);
    }
    expect(lines(back.stop)).toEqual([
      `run    systemctl stop ${SOCKETS.join(' ')} fleet-mesh.service`,
      'run    systemctl start old.service',
      `run    systemctl disable ${SOCKETS.join(' ')} fleet-mesh.service`,
    ]);
    expect(lines(back.start)).toEqual([
      'run    systemctl enable old.service',
      'wait   until something listens on 18000',
    ]);
  });

  it('restarts the previous release after an upgrade, with open ports all the time', () => {
    const facts = factsOf();
    const first = carriedOut(facts, planned(facts));
    const plan = planned({
      ...first,
      release: { ...RELEASE, id: '2', units: new Map([['fleet-mesh.service', 'new']]) },
    });
    const back = wayBack(facts.places, plan.before, { failed: false, user: 'root', otherSockets: SOCKETS });
    expect(back.stop).toEqual([]);
    expect(lines(back.files)).toContain('link   /usr/lib/fleet-mesh/current -> releases/1.0.0-aaa');
    expect(back.files).toContainEqual(
      expect.objectContaining({ path: expect.stringMatching(/fleet-mesh\.service$/), text: 'service' }),
    );
    expect(lines(back.start)).toEqual(['run    systemctl restart fleet-mesh.service']);
  });

  it('removes a new configuration only after a failed installation', () => {
    const facts = factsOf({ newConfig: 'yaml' });
    const { before } = planned(facts);
    const paths = (failed: boolean) => lines(wayBack(facts.places, before, { ...options, failed }).files);
    expect(paths(true)).toContain('remove /etc/fleet-mesh/tunnels.yaml');
    expect(paths(false)).not.toContain('remove /etc/fleet-mesh/tunnels.yaml');
  });

  it.each([
    [false, ['run    loginctl disable-linger me']],
    [true, []],
  ])('turns lingering off if a failed installation turned it on: was on %j', (lingering, told) => {
    const facts = factsOf({ places: userPlaces('/home/me', '/run/user/1'), user: 'me', lingering });
    const { before } = planned(facts);
    const linger = (failed: boolean) =>
      lines(wayBack(facts.places, before, { ...options, failed }).files).filter((line) => line.includes('linger'));
    expect(linger(true)).toEqual(told);
    expect(linger(false), 'ssh units that a rollback brings back may live by it').toEqual([]);
  });

  it('shows directories that are removed only if empty', () => {
    const { files } = wayBack(factsOf().places, planned(factsOf()).before, options);
    expect(lines(files)).toContain('remove /var/lib/fleet-mesh/ if it is empty');
  });
});

describe(planUninstall, () => {
  const facts = factsOf({ oldUnits: [OLD] });
  const { record, places } = carriedOut(facts, planned(facts));
  const present = new Set(['/etc/fleet-mesh', '/var/lib/fleet-mesh']);
  const directory = '/etc/systemd/system/fleet-mesh.service.d';
  const dropIns = [`${directory}/50-sockets.conf`, `${directory}/override.conf`];

  it('removes all installed files, and lists the remaining ones', () => {
    if (record === undefined) throw new Error('there is a record');
    const { steps, kept } = planUninstall({ places, record, user: 'root', present, dropIns }, false);
    const told = lines(steps);
    expect(told[0]).toMatch(/^run {4}systemctl stop fleet-mesh-endpoint\.socket .* fleet-mesh\.service /);
    for (const path of record.files) expect(told).toContain(`remove ${path}`);
    expect(told).toContain('remove /usr/local/bin/fleet-mesh');
    expect(told.join('\n')).not.toMatch(/remove \/(etc|var\/lib)\/fleet-mesh\/$/m);
    expect(kept.map((line) => line.split(' ')[0])).toEqual([
      '/etc/fleet-mesh/',
      '/var/lib/fleet-mesh/',
      'the',
      `${directory}/override.conf`,
      'old.service,',
    ]);
  });

  it('removes configuration, state and user too with purge', () => {
    if (record === undefined) throw new Error('there is a record');
    const { steps, kept } = planUninstall({ places, record, user: 'root', present, dropIns }, true);
    expect(lines(steps)).toEqual(
      expect.arrayContaining(['remove /etc/fleet-mesh/', 'remove /var/lib/fleet-mesh/', 'run    userdel fleet-mesh']),
    );
    expect(kept).toEqual([`${directory}/override.conf (your drop-in)`, expect.stringContaining('old.service')]);
  });
});
