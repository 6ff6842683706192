import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hosts, unit, units, write } from '../../support/machine/import.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/import/', import.meta.url));

const PATTERN = 'Host db-1\n LocalForward 11 h:1\nHost db-2\n LocalForward 12 h:1\nHost db-*\n IdentityFile /k\n';

describe('import of units that people have', () => {
  it('takes files of the credentials directory as credentials', async () => {
    const { code, yaml, said } = await units([`${FIXTURES}creds.service`]);
    expect(code).toBe(0);
    expect(yaml).toContain('key: "credential:tunnelkey"');
    expect(yaml).toContain('known_hosts: "credential:known"');
    expect(said).toContain('Write LoadCredential=tunnelkey:/etc/tunnel/key into the unit of fleet-mesh.');
    expect(said).toContain('loads no credential known');
  });

  it('fails for a unit whose only forward is a SOCKS listener on the host', async () => {
    const { code, failures, tunnels } = await units([`${FIXTURES}egress-socks.service`]);
    expect(code).toBe(1);
    expect(tunnels).toEqual([]);
    expect(failures.join('\n')).toContain('remoteforward=127.0.0.1:10929');
    expect(failures.join('\n')).toContain('permitremoteopen');
  });

  it.each([
    ['fork', { listen: tcp('127.0.0.1', 1195), target: tcp('127.0.0.1', 1195) }, 'way'],
    ['gn', { listen: tcp('0.0.0.0', 20222), target: tcp('127.0.0.1', 22) }, 'vps'],
  ])('takes the remote forward of %s.service', async (name, way, user) => {
    const { code, tunnels, config } = await units([`${FIXTURES}${name}.service`]);
    expect(code).toBe(0);
    expect(tunnels).toMatchObject([{ direction: 'remote', ...way }]);
    expect(config.hosts.get('relay.example.net')?.user).toBe(user);
  });

  it('keeps the time of silence of ServerAliveInterval=3600, and says what else changes', async () => {
    const { code, config, said } = await units([`${FIXTURES}never.service`]);
    const keepalive = config.hosts.get('gw.example.net')?.keepalive;
    expect(code).toBe(0);
    expect((keepalive?.everyMs ?? 0) * (keepalive?.lostAfter ?? 0)).toBe(3_600_000);
    expect(said).toContain('ServerAliveInterval=3600 and ServerAliveCountMax=0 become 5m × 12');
    expect(said).toContain('ConnectTimeout=600 becomes 5m');
  });

  it('limits ServerAliveCountMax=1440 to a value that the check accepts, and says so', async () => {
    const { code, config, said } = await units([`${FIXTURES}late.service`]);
    expect(code).toBe(0);
    expect(config.hosts.get('www.example.net')?.keepalive).toEqual({ everyMs: 60_000, lostAfter: 100 });
    expect(said).toContain('ServerAliveInterval=60 and ServerAliveCountMax=1440 become 1m × 100');
  });

  it('takes ssh -W as a jump host, with the tokens of the key expanded', async () => {
    const { code, config } = await hosts(['old-way'], `${FIXTURES}old-ways.ssh_config`);
    expect(code).toBe(0);
    expect(config.hosts.get('old-way')).toMatchObject({ address: '10.9.0.5', user: 'deploy' });
    expect(config.hosts.get('old-way')?.jump).toMatchObject({ host: 'bastion.example.net' });
    expect(config.hosts.get('bastion.example.net')?.user).toBe('jump');
    expect(config.actors.get('deploy_key')?.key).toMatchObject({ path: '/home/fleet/.ssh/deploy_key' });
  });

  it('fails for HostKeyAlias, which changes the accepted host key', async () => {
    const { code, failures, tunnels } = await hosts(['behind-nat'], `${FIXTURES}old-ways.ssh_config`);
    expect(code).toBe(1);
    expect(tunnels).toHaveLength(1);
    expect(failures.join()).toContain('HostKeyAlias=box7 is not translated');
  });

  it('takes the hosts that a pattern names in ssh_config, and fails for a pattern without hosts', async () => {
    const file = write('config', PATTERN);
    const found = await hosts(['db-*'], file);
    expect(found.tunnels.map(({ name }) => name)).toEqual(['db-1', 'db-2']);
    expect((await hosts(['web-*'], file)).failures.join()).toContain('names no host that web-* matches');
    const bad = write('config', 'Host x\n Mystery yes\n');
    expect((await hosts(['x'], bad)).failures.join()).toContain('line 2: Bad configuration option: mystery.');
  });
});

describe('import of a unit with settings elsewhere', () => {
  const CONFIG =
    'Host alias\n  HostName 192.0.2.9\n  Port 2022\n  User far\n  IdentityFile /k/id\n  LocalForward 15432 db:5432\n';

  it('follows an alias to its address and its forwards in ssh_config', async () => {
    const file = write('tunnel.service', unit('/usr/bin/ssh -N alias'));
    const { code, tunnels, config } = await units([file], write('config', CONFIG));
    expect(code).toBe(0);
    expect(tunnels).toMatchObject([{ listen: tcp('127.0.0.1', 15432), target: { host: 'db', port: 5432 } }]);
    expect(config.hosts.get('alias')).toMatchObject({ address: '192.0.2.9', port: 2022, user: 'far' });
  });

  it('prefers the settings of the command to those of ssh_config', async () => {
    const file = write('tunnel.service', unit('ssh -N -p 23 -l near -i /k/id -L 1:a:2 alias'));
    const { tunnels, config } = await units([file], write('config', CONFIG));
    expect(config.hosts.get('alias')).toMatchObject({ port: 23, user: 'near' });
    expect(tunnels.map(({ name }) => name)).toEqual(['tunnel-1', 'tunnel-15432']);
  });

  it('reads drop-ins, also those that replace the command', async () => {
    const file = write('tunnel.service', unit('ssh -N -i /k -L 1:a:1 u@old'));
    write(
      'tunnel.service.d/20-new.conf',
      '[Service]\nExecStart=\nExecStart=ssh -N -i /k -L 1:a:1 $TO\n',
      join(file, '..'),
    );
    write('tunnel.service.d/10-to.conf', '[Service]\nEnvironment=TO=u@new\n', join(file, '..'));
    const { code, config } = await units([file]);
    expect(code).toBe(0);
    expect(config.hosts.has('new')).toBe(true);
    expect(config.hosts.has('old')).toBe(false);
  });

  it('reads the drop-ins of every directory of a user, and prefers those of the first directory', async () => {
    const home = tempDir('import').path;
    const file = write('.local/share/systemd/user/t.service', unit('ssh -N -i /k -L 1:a:1 $TO'), home);
    for (const [place, host] of [
      ['.local/share', 'old'],
      ['.config', 'new'],
    ])
      write(`${place}/systemd/user/t.service.d/to.conf`, `[Service]\nEnvironment=TO=u@${host}\n`, home);
    expect((await units([file])).tunnels).toMatchObject([{ host: 'new' }]);
  });

  it('translates a unit of the system alike by its name in the current directory and by its absolute path', async () => {
    const file = write('systemd/system/t.service', unit('ssh -N -L 1:a:1 u@h'));
    const absolute = await units([file]);
    const before = process.cwd();
    process.chdir(join(file, '..'));
    const relative = await units(['t.service']).finally(() => process.chdir(before));
    expect(relative.said).toMatch(/-m 600 \/root\/\.ssh\/(\w+) \/etc\/fleet-mesh\/keys\/root-\1`/);
    expect(relative.said).toBe(absolute.said);
    expect([relative.config.hosts, relative.config.actors]).toEqual([absolute.config.hosts, absolute.config.actors]);
  });

  it('reads variables of EnvironmentFile=, and takes an instance from its template', async () => {
    const directory = tempDir('import').path;
    write('db.env', '# a comment\nREMOTE="u@192.0.2.4"\nFORWARDS=-L 1:a:1 -L 2:b:2\n', directory);
    write(
      'tunnel@.service',
      unit('autossh -M 0 -N -i /k $FORWARDS $REMOTE', `EnvironmentFile=${directory}/%i.env`),
      directory,
    );
    const { code, tunnels } = await units([join(directory, 'tunnel@db.service')]);
    expect(code).toBe(0);
    expect(tunnels.map(({ name, host }) => [name, host])).toEqual([
      ['tunnel-db-1', '192.0.2.4'],
      ['tunnel-db-2', '192.0.2.4'],
    ]);
  });

  it('takes an agent that the unit names, and variables that systemd sets', async () => {
    const agent = write('t.service', unit('ssh -N -L 1:a:1 u@h', 'Environment=SSH_AUTH_SOCK=%t/agent.sock'));
    expect((await units([agent])).config.actors.get('agent')?.key).toEqual({ kind: 'agent' });
    const home = write(
      't.service',
      unit('ssh -N -i $HOME_KEY -L 1:a:1 u@h', 'Environment=HOME_KEY=/run/credentials/%n/k'),
    );
    expect((await units([home])).yaml).toContain('key: "credential:k"');
    const path = write('.config/systemd/user/t.service', unit('/bin/ssh -N -i $HOME -L 1:a:1 u@h'));
    expect((await units([path])).failures.join()).toContain('IdentityFile=~ is not translated');
  });

  it('takes every command of ExecStart=, also behind a semicolon, and every file of a pattern', async () => {
    const directory = tempDir('import').path;
    write('1.env', 'PORT=1\n', directory);
    write('2.env', 'PORT=2\n', directory);
    const command = `ssh -fN -i /k -L \${PORT}:a:1 u@h ; systemd-inhibit --what=sleep ssh -fN -i /k -L 3:a:1 u@g`;
    const { code, failures, tunnels } = await units([
      write('t.service', unit(command, `Type=oneshot\nEnvironmentFile=${directory}/*.env`)),
    ]);
    expect([code, failures]).toEqual([0, []]);
    expect(tunnels.map(({ host, listen }) => [host, listen])).toEqual([
      ['h', { kind: 'tcp', host: '127.0.0.1', port: 2 }],
      ['g', { kind: 'tcp', host: '127.0.0.1', port: 3 }],
    ]);
  });

  it('takes no words for a variable of a file that may be missing, as systemd does, and says so', async () => {
    const file = write('t.service', unit('ssh -N -i /k $OPTIONS -L 1:a:1 u@h', 'EnvironmentFile=-/no/such.env'));
    const { code, failures, said } = await units([file]);
    expect([code, failures]).toEqual([0, []]);
    expect(said).toContain('$OPTIONS has no value: the file that may set the variable is missing.');
    const other = write('t.service', unit('ssh -N -i /k $OPTIONS -L 1:a:1 u@h'));
    expect((await units([other])).failures.join()).toContain('the value of $OPTIONS is unknown');
  });

  it('expands the tokens of a socket, and fails for one of unknown value', async () => {
    const { tunnels, failures } = await units([
      write('t.service', unit('ssh -N -i /k -L /run/%%r@%%h.sock:/s -L /run/%%C.sock:/s u@h')),
    ]);
    expect(tunnels.map(({ listen }) => listen)).toEqual([{ kind: 'unix', path: '/run/u@h.sock' }]);
    expect(failures.join()).toContain('/run/%C.sock');
  });

  it('says that ssh listens on every address of IPv6 too', async () => {
    const { code, said } = await units([write('t.service', unit('ssh -N -g -i /k -L 1:a:1 -L 127.0.0.1:2:a:1 u@h'))]);
    expect(code).toBe(0);
    expect(said).toContain(
      'ssh listens for 0.0.0.0:1 on every address of IPv6 too. A tunnel here listens on IPv4 only.',
    );
    expect(said).not.toContain('127.0.0.1:2');
  });

  it('fails without a required EnvironmentFile=', async () => {
    const file = write('t.service', unit('ssh -N -i /k -L 1:a:1 u@h', 'EnvironmentFile=/no/such.env'));
    expect((await units([file])).failures.join()).toContain('EnvironmentFile=/no/such.env cannot be read (ENOENT)');
  });
});

describe('import of the files that ssh_config names', () => {
  it('takes a key that is also a usual one, and no other key', async () => {
    const config = write(
      'config',
      'Host a\n  IdentityFile ~/.ssh/id_rsa\n  LocalForward 1 x:1\nHost b\n  IdentityFile /k\n  IdentityFile ~/.ssh/id_rsa\n  LocalForward 2 x:1\n',
    );
    const one = await hosts(['a'], config);
    expect(one.code).toBe(0);
    expect(one.yaml).toContain('key: ~/.ssh/id_rsa');
    expect((await hosts(['b'], config)).failures.join()).toContain('More keys are not translated: ~/.ssh/id_rsa');
  });

  it('fails for a public key, whose private key is in an agent', async () => {
    const config = write('config', 'Host a\n  IdentityFile /k.pub\n  LocalForward 1 x:1\n');
    expect((await hosts(['a'], config)).failures.join()).toContain('IdentityFile=/k.pub is not translated');
  });

  it('makes no proxy of a forward to a socket', async () => {
    const config = write('config', 'Host a\n  IdentityFile /k\n  LocalForward 1 /run/db.sock\n  DynamicForward 2\n');
    const { code, failures, tunnels } = await hosts(['a'], config);
    expect([code, failures]).toEqual([0, []]);
    expect(tunnels.map(({ direction, listen }) => [direction, listen])).toEqual([
      ['dynamic', { kind: 'tcp', host: '127.0.0.1', port: 2 }],
      ['local', { kind: 'tcp', host: '127.0.0.1', port: 1 }],
    ]);
  });
});

describe('import that loses something', () => {
  it.each([
    ['a proxy command of another kind', '-o "ProxyCommand=nc -X 5 -x p:1080 %h %p"', 'ProxyCommand is not translated'],
    ['BindAddress', '-b 192.0.2.7', 'bindaddress=192.0.2.7'],
    ['an address family', '-6', 'addressfamily=inet6'],
    ['ciphers', '-c aes128-ctr', 'ciphers=aes128-ctr'],
    ['a host certificate file', '-o CertificateFile=/k-cert.pub', 'certificatefile=/k-cert.pub'],
    ['a second key', '-i /k2', 'More keys'],
    ['a second known_hosts file', '-o "UserKnownHostsFile /a /b"', 'More known_hosts files'],
    ['standard input forwarded', '-W a:1', 'stdioforward=a:1'],
    ['a tunnel device', '-w 0:0', 'tunneldevice=0:0'],
    ['a port of unknown number', '-R 0:localhost:22', 'remoteforward=0:localhost:22'],
    ['the port of our endpoint', '-L 9780:a:1', '127.0.0.1:9780 conflicts with endpoint.listen'],
    ['an unknown setting', '-o NewThing=1', 'newthing=1'],
    ['a login without keys', '-o PubkeyAuthentication=no', 'pubkeyauthentication=no'],
    ['a login with a password', '-o PreferredAuthentications=password', 'preferredauthentications=password'],
  ])('fails for %s', async (_, flags, said) => {
    const file = write('t.service', unit(`ssh -N -i /k -L 1:a:1 ${flags} u@h`));
    const { code, failures } = await units([file]);
    expect(code).toBe(1);
    expect(failures.join('\n')).toContain(said);
  });

  it.each([
    ['multiplexing', '-o ControlMaster=auto -o ControlPath=/s -o ControlPersist=yes'],
    ['values that are the default', '-o Compression=no -o AddressFamily=any'],
    ['ssh -o with blanks and quotes', `-o "ServerAliveInterval 15" -o 'ServerAliveCountMax = 3'`],
    ['an address family that the address has anyway', '-4 -o HostName=192.0.2.1'],
    ['a log file', '-E /var/log/tunnel.log'],
  ])('accepts %s', async (_, flags) => {
    const { code, failures } = await units([
      write('t.service', unit(`ssh -i /k -L 1:a:1 ${flags} u@h sleep infinity`)),
    ]);
    expect([code, failures]).toEqual([0, []]);
  });

  it.each([
    ['a password for sshpass', 'sshpass -p hunter2 ssh -N -i /k -L 1:a:1 u@h', ''],
    ['a password for sshpass behind a shell', `sh -c 'sshpass -phunter2 ssh -N -i /k -L 1:a:1 u@h'`, ''],
    ['a program without ssh', 'tunnel --token hunter2', ''],
    ['an open quote', 'ssh -N -o "ProxyCommand=x hunter2', ''],
    ['a remote command', 'ssh -i /k -L 1:a:1 u@h login hunter2', ''],
    ['a proxy command', 'ssh -i /k -L 1:a:1 -o "ProxyCommand=c --auth u:hunter2 %%h" u@h', ''],
    ['a command before the start', 'ssh -N -i /k -L 1:a:1 u@h', 'ExecStartPre=/usr/bin/login hunter2'],
    ['a credential in the unit', 'ssh -N -i /k -L 1:a:1 -W a:1 u@h', 'SetCredential=token:hunter2'],
    ['a variable with blanks', 'ssh -N -i /k -L 1:a:1 -W a:1 u@h', 'Environment="PASSWORD=my hunter2 x" A=b\\ hunter2'],
    ['a password of a login', 'ssh -N -i /k -L 1:a:1 u:hunter2@h', ''],
    ['a variable', 'ssh -N -i /k -L 1:a:1 -W a:1 u@h', 'Environment=SSHPASS=hunter2 "B=hunter2 x"'],
  ])('never prints %s, and fails', async (_, command, more) => {
    const { code, failures, ...rest } = await units([write('t.service', unit(command, more))]);
    expect(code).toBe(1);
    expect(failures).not.toEqual([]);
    expect(JSON.stringify([failures, rest.yaml, rest.remarks])).not.toContain('hunter2');
  });

  it('writes every remark as a sentence', async () => {
    const all = ['creds', 'egress-socks', 'fork', 'gn', 'late', 'never'].map((name) => `${FIXTURES}${name}.service`);
    const { remarks } = await units(all);
    expect(remarks.length).toBeGreaterThan(20);
    for (const remark of remarks) expect(remark).toMatch(/^[\w.-]+: .* .*\.$/);
  });
});

describe('import of jump hosts', () => {
  it('takes a chain of -J, and the settings of its hosts from ssh_config', async () => {
    const config = write('config', 'Host b\n  HostName 192.0.2.2\n  Port 2022\n  User jumper\n  IdentityFile /k/b\n');
    const file = write('t.service', unit('ssh -N -i /k/id -L 1:a:1 -J a@first:22,b u@h'));
    const { code, config: made } = await units([file], config);
    expect(code).toBe(0);
    expect(made.hosts.get('h')?.jump).toMatchObject({ host: 'b', actor: 'b' });
    expect(made.hosts.get('b')).toMatchObject({ address: '192.0.2.2', port: 2022, user: 'jumper' });
    expect(made.hosts.get('b')?.jump).toMatchObject({ host: 'first' });
    expect(made.hosts.get('first')?.user).toBe('a');
  });

  it.each(['ssh -W [%h]:%p -p 24 -l me bastion', 'exec ssh -q me@bastion -p 24 nc -w 10 %h %p'])(
    'takes %s as a jump host',
    async (command) => {
      const config = write(
        'config',
        `Host h\n  User u\n  IdentityFile /k\n  LocalForward 1 a:1\n  ProxyCommand ${command}\n`,
      );
      const { code, config: made } = await hosts(['h'], config);
      expect(code).toBe(0);
      expect(made.hosts.get('bastion')).toMatchObject({ user: 'me', port: 24 });
    },
  );

  it('reads Match blocks as ssh does', async () => {
    const config = write('config', 'Match host h user u\n  LocalForward 1 a:1\nHost h\n  IdentityFile /k\n');
    const { code, tunnels } = await units([write('t.service', unit('ssh -N u@h'))], config);
    expect([code, tunnels.length]).toEqual([0, 1]);
  });
});

function tcp(host: string, port: number) {
  return { kind: 'tcp', host, port };
}
