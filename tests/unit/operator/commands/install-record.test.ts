import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { userPlaces } from '../../../../src/machine/install/places.ts';
import { install } from '../../../../src/operator/commands/install.ts';
import { uninstall } from '../../../../src/operator/commands/uninstall.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';

const PLACE = { user: true, dryRun: false, json: false };
const ROLLBACK = { ...PLACE, rollback: true, skipDoctor: false, timeout: '60s' };

describe('the record of an installation', () => {
  it.each([
    ['half a file', '{"schema": 1, "rel'],
    ['the record of a later release', '{"schema": 2}'],
  ])('is refused by name if the file is %s, and nothing is removed', async (_, text) => {
    using home = tempDir('home');
    const { record } = userPlaces(home.path, `${home.path}/run`);
    mkdirSync(dirname(record), { recursive: true });
    writeFileSync(record, text);
    const said: string[] = [];
    const say = (line: string) => void said.push(line);
    const io = { env: { HOME: home.path }, out: say, err: say, signal: new AbortController().signal };
    expect([await install(ROLLBACK, io), await uninstall({ ...PLACE, purge: true }, io)]).toEqual([78, 78]);
    expect(said.join('').split(`${record}:1:1: this release cannot read the record`)).toHaveLength(3);
    expect(readFileSync(record, 'utf8')).toBe(text);
  });
});
