import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../../scripts/install-node-run/arguments.ts';
import { farCommand } from '../../../scripts/install-node-run/far-command.ts';
import { isShipped } from '../../../scripts/install-node-run/shipped.ts';
import { productionPackages } from '../../../scripts/lib/production-packages.ts';

describe(parseArguments, () => {
  it('separates the flags for the node from those for the connection', () => {
    expect(
      parseArguments([
        'node-a',
        '--user',
        '--config',
        'a b.yaml',
        '--ssh-config',
        'c',
        '--timeout',
        '5s',
        '--observe',
        '10m',
      ]),
    ).toEqual({
      host: 'node-a',
      sshConfig: 'c',
      config: 'a b.yaml',
      command: 'install',
      flags: ['--user', '--timeout', '5s', '--observe', '10m'],
    });
    expect(parseArguments(['--local', '--uninstall', '--purge'])).toMatchObject({
      host: undefined,
      command: 'uninstall',
      flags: ['--purge'],
    });
  });

  it.each([
    [[]],
    [['a', 'b']],
    [['a', '--local']],
    [['--', '-oProxyCommand=touch /tmp/x']],
    [['a', '--purge']],
    [['a', '--uninstall', '--config', 'f']],
    [['a', '--timeout', '5s; reboot']],
    [['a', '--unknown']],
    [['a', '--rollback', '--observe', '5m']],
    [['a', '--uninstall', '--observe', '5m']],
    [['a', '--observe', 'soon']],
  ])('rejects the arguments %j', (argv) => {
    expect(() => parseArguments(argv)).toThrow();
  });
});

describe(farCommand, () => {
  it('builds one word in single quotes for any shell, whatever the flags', () => {
    const command = farCommand('install', ['--user', '--observe', '10m'], true);
    expect(command).toMatch(/^sh -c '[^'!]*'$/);
    expect(command).toContain('cli.js" install --user --observe 10m --config "$d/given-tunnels.yaml"');
    expect(() => farCommand('install', ["--user' reboot"], false)).toThrow();
  });
});

describe(productionPackages, () => {
  it('lists the imports of the program, without packages for builds and tests', () => {
    const packages = productionPackages(readFileSync('package-lock.json', 'utf8'));
    const paths = packages.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['node_modules/ssh2', 'node_modules/pino', 'node_modules/sd-notify']));
    for (const name of ['typescript', 'vitest', 'tsx']) expect(paths).not.toContain(`node_modules/${name}`);
    expect(packages.filter(({ optional }) => optional).map(({ path }) => path)).toContain('node_modules/sd-notify');
  });
});

describe(isShipped, () => {
  it.each([
    ['lib/index.js', true],
    ['build/Release', true],
    ['build/Release/notify.node', true],
    ['LICENSE', true],
    ['build/Release/obj.target/x.o', false],
    ['build', true],
    ['build/Makefile', false],
    ['node_modules/other/index.js', false],
    ['index.d.ts', false],
    ['src/a.cc', false],
  ])('ships %s: %s', (path, is) => {
    expect(isShipped(path)).toBe(is);
  });
});
