import { readdir, readFile, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { readRegular } from '../../base/files/regular-file.ts';
import { NotTranslatable } from './entry.ts';

/** systemd.unit(5), UNIT FILE LOAD PATH: a unit has its drop-ins in every one of them, the first path wins. */
function loadPaths(home: string) {
  return {
    system: ['/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system'],
    user: [
      join(home, '.config/systemd/user'),
      '/etc/systemd/user',
      '/run/systemd/user',
      join(home, '.local/share/systemd/user'),
      '/usr/local/lib/systemd/user',
      '/usr/lib/systemd/user',
    ],
  };
}

/**
 * The text of a unit with its drop-ins in the order of systemd. An instance without a file of its own, such as
 * tunnel@db.service, is its template. Rejects with {@link NotTranslatable}.
 */
export async function readUnitText(path: string): Promise<string> {
  const name = basename(path);
  const template = name.replace(/@.+(?=\.)/, '@');
  const texts = [await textOf(path, join(dirname(path), template))];
  for (const dropIn of await dropInsOf(dirname(path), [name, template])) texts.push(await textOf(dropIn));
  // A file that ends in a continuation does not continue in the next one.
  return texts.join('\n\n');
}

/** The homes of /etc/passwd, by user. */
export async function homesOf(): Promise<Map<string, string>> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [user, , , , , home] = line.split(':');
      return user && home?.startsWith('/') ? [[user, home]] : [];
    }),
  );
}

async function textOf(path: string, other?: string): Promise<string> {
  try {
    // A drop-in that is masked: systemd.unit(5).
    if ((await realpath(path)) === '/dev/null') return '';
    return (await readRegular(path)).toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && other !== undefined && other !== path) return textOf(other);
    throw new NotTranslatable(`${path} cannot be read (${code})`, { cause: error });
  }
}

/** NAME.d/*.conf, also of the template and of every dash prefix: foo-.service.d for foo-bar.service. */
async function dropInsOf(directory: string, names: readonly string[]): Promise<string[]> {
  // A unit file in a home belongs to the manager of that user.
  const [, home = homedir()] = /^(.+)\/\.(?:config|local\/share)\/systemd\/user$/.exec(directory) ?? [];
  // Where /lib is a link, the path has two spellings.
  const real = await realpath(directory).catch(() => directory);
  const around = Object.values(loadPaths(home)).find((paths) => paths.includes(directory) || paths.includes(real));
  const folders = [...new Set([...names, ...names.flatMap(prefixesOf), 'service'])];
  const found = new Map<string, string>();
  for (const folder of folders) {
    for (const place of around ?? [directory]) {
      const files = await readdir(join(place, `${folder}.d`)).catch(() => []);
      for (const file of files)
        if (file.endsWith('.conf') && !found.has(file)) found.set(file, join(place, `${folder}.d`, file));
    }
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

function prefixesOf(name: string): string[] {
  const plain = name.replace(/@?\.service$/, '');
  return [...plain.matchAll(/-/g)].map(({ index }) => `${plain.slice(0, index + 1)}.service`).toReversed();
}
