/** Reads the output of `systemctl show`: a block for each unit, empty lines between. Pure. */
export function parseShow(text: string): ReadonlyMap<string, string>[] {
  return text
    .split(/\n{2,}/)
    .map((block) => new Map(block.split('\n').flatMap(property)))
    .filter((block) => block.size > 0);
}

function property(line: string): [string, string][] {
  const [, name, value] = /^([A-Za-z0-9]+)=(.*)$/.exec(line) ?? [];
  return name === undefined || value === undefined ? [] : [[name, value]];
}

/** Whether the unit runs or is starting. */
export function isActive(unit: ReadonlyMap<string, string>): boolean {
  return ['active', 'activating', 'reloading'].includes(unit.get('ActiveState') ?? '');
}

export function isEnabled(unit: ReadonlyMap<string, string>): boolean {
  return unit.get('UnitFileState') === 'enabled';
}
