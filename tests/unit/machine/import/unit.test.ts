import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUnit } from '../../../../src/machine/import/unit.ts';
import { splitWords } from '../../../../src/machine/import/words.ts';

const CONTEXT = { hostname: 'node-a', user: 'fleet' };

const unit = (command: string, more = '') => `[Service]\n${more}\nExecStart=${command}\n`;
const read = (text: string, name = '/etc/systemd/system/tunnel.service') => readUnit(name, text, CONTEXT);

/** The options of the only entry. */
function optionsOf(text: string, name?: string): string[] {
  const { entries, failures } = read(text, name);
  expect(failures).toEqual([]);
  return entries.flatMap(({ options }) => options.map(({ keyword, value }) => `${keyword} ${value}`));
}

describe(readUnit, () => {
  it.each([
    ['clusters of flags', '/usr/bin/ssh -NTi/k -p2222 h', ['identityfile /k', 'port 2222']],
    ['flags after the host', 'ssh h -N -L 1:a:2', ['localforward 1:a:2']],
    ['-o in all its spellings', `ssh -oPort=1 -o "User x" -o 'HostName = y' h`, ['port 1', 'user x', 'hostname y']],
    ['user@host', 'ssh -N tegwick@h', ['user tegwick']],
    ['ssh://', 'ssh -N ssh://me@[::1]:2200', ['user me', 'port 2200']],
    ['autossh, its -M being its own', 'autossh -M 0 -N -D 1080 h', ['dynamicforward 1080']],
    ['env before ssh', '/usr/bin/env A=b ssh -N -p 3 h', ['port 3']],
    ['a prefix', '-/usr/bin/ssh -N -J a,b h', ['proxyjump a,b']],
    ['argv[0] given by @', '@/usr/bin/ssh tunnel -N -p 4 h', ['port 4']],
    [
      'specifiers',
      'ssh -i %h/.ssh/%p -o ProxyCommand="nc %%h" h',
      ['identityfile /root/.ssh/tunnel', 'proxycommand nc %h'],
    ],
  ])('parses an ssh command with %s', (_, command, expected) => {
    expect(optionsOf(unit(command))).toEqual(expected);
  });

  it('joins continuation lines over comments', () => {
    const text = unit('ssh -N \\\n  -p 5 \\\n# not this: -p 6\n; nor -p 7\n  -C h');
    expect(optionsOf(text)).toEqual(['port 5', 'compression yes']);
  });

  it('expands variables of the unit, splits whole words, and expands the instance of a template', () => {
    const more = 'Environment="FORWARDS=-L 1:a:2 -L 3:b:4" PORT=22';
    const text = unit(`ssh -N $FORWARDS -p \${PORT} %i`, more);
    const [entry] = read(text, 'tunnel@db.service').entries;
    expect(entry?.destination).toBe('db');
    expect(optionsOf(text, 'tunnel@db.service')).toEqual(['localforward 1:a:2', 'localforward 3:b:4', 'port 22']);
  });

  it('takes the user from the unit, else root for a unit of the system', () => {
    expect(read(unit('ssh -N h', 'User=tunnel')).entries[0]?.localUser).toBe('tunnel');
    expect(read(unit('ssh -N h')).entries[0]?.localUser).toBe('root');
    expect(read(unit('ssh -N h'), '/home/fleet/.config/systemd/user/tunnel.service').entries[0]?.localUser).toBe(
      'fleet',
    );
  });

  it('finds ssh behind wrappers, and takes a script of one plain command', () => {
    expect(optionsOf(unit(`/bin/sh -c 'exec ssh -N -p 3 h'`))).toEqual(['port 3']);
    expect(optionsOf(unit('/usr/bin/nice -n 5 /usr/bin/setsid ssh -p 3 h'))).toEqual(['port 3']);
  });

  it.each([
    ['another program', '/usr/bin/socat TCP-LISTEN:1 TCP:h:2', 'the command runs socat, not ssh'],
    ['a shell', `/bin/sh -c 'ssh -N h | tee /log'`, 'the command runs a script of sh, not ssh alone'],
    ['a variable from elsewhere', 'ssh -N $HOST', 'is unknown'],
    ['a template without an instance', 'ssh -N %i', 'tunnel@db.service'],
    ['no host', 'ssh -N', 'the command names no host'],
    ['an open quote', 'ssh -N "h', 'a quote is not closed'],
  ])('reports that %s is not translated', (_, command, message) => {
    const { entries, failures } = read(unit(command));
    expect(entries).toEqual([]);
    expect(failures.join()).toContain(message);
    expect(failures.join()).toContain('tunnel.service');
  });

  it('turns every directive and every flag into an option or a remark', () => {
    const more = 'ExecStartPre=/bin/sleep 2\nWatchdogSec=5\nRestart=always\nEnvironment=SSHPASS=s3cret';
    const [entry] = read(unit('ssh -N -W a:1 -E /log h true', more)).entries;
    const said = [...(entry?.remarks ?? []), ...(entry?.options ?? []).map(({ value }) => ({ text: value }))]
      .map(({ text }) => text)
      .join('\n');
    for (const part of [
      'ExecStartPre= (sleep)',
      'WatchdogSec=5',
      'Restart=always',
      '-N',
      'a:1',
      '-E /log',
      'The remote command is not translated',
    ])
      expect(said).toContain(part);
    expect(said).toContain('SSHPASS');
    expect(said).not.toContain('s3cret');
  });

  it('takes the first of two users and ports, as ssh does', () => {
    expect(optionsOf(unit('ssh -l bob -p 23 ssh://alice@h:24'))).toEqual([
      'user bob',
      'port 23',
      'user alice',
      'port 24',
    ]);
    expect(optionsOf(unit('ssh alice@h -l bob'))).toEqual(['user alice', 'user bob']);
  });

  it('reads a command whose last line ends in a continuation, and a dollar after the prefix ":"', () => {
    expect(optionsOf('[Service]\nExecStart=ssh -N -p 3 h \\')).toEqual(['port 3']);
    expect(optionsOf(unit('-:/usr/bin/ssh -N -i /k$x h'))).toEqual(['identityfile /k$x']);
  });

  it('drops earlier commands at an empty ExecStart=', () => {
    expect(
      read('[Service]\nExecStart=ssh -N a\nExecStart=\nExecStart=ssh -N b\n').entries.map((e) => e.destination),
    ).toEqual(['b']);
  });

  it('never throws for any file', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('[Service]', 'ExecStart=ssh', 'ExecStart=ssh -o', '\\', '%', '"'),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { entries, failures } = read(`[Service]\nExecStart=ssh ${lines.join('\n')}`);
        expect(entries.length + failures.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe(splitWords, () => {
  it.each([
    ['a  b\tc', ['a', 'b', 'c']],
    [`"a b" 'c "d"' e`, ['a b', 'c "d"', 'e']],
    [`a="b c"'d'`, ['a=b cd']],
    ['a\\sb "x\\"y"', ['a b', 'x"y']],
    ['/my\\x20dir/\\u00fc\\101 \\x0', ['/my dir/üA', '\\x0']],
    ['""', ['']],
    ['', []],
  ])('splits %j', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });
});
