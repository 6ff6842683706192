import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { linesOf } from '../../../../scripts/demo-picture/ansi.ts';
import { terminalSvg } from '../../../../scripts/demo-picture/svg.ts';

describe(linesOf, () => {
  it('keeps the colours of the program', () => {
    expect(linesOf('a is \x1b[32mUP\x1b[0m.\r\n\r\nb\r\n', 80)).toEqual([
      [
        { text: 'a is ', style: 'plain' },
        { text: 'UP', style: 'green' },
        { text: '.', style: 'plain' },
      ],
      [],
      [{ text: 'b', style: 'plain' }],
    ]);
  });

  it('breaks a long line at the width of the terminal, whatever its colours', () => {
    expect(linesOf('abc\x1b[31mdefgh\x1b[0m', 5).map((line) => line.map(({ text }) => text))).toEqual([
      ['abc', 'de'],
      ['fgh'],
    ]);
  });

  it('rejects output that moves the cursor', () => {
    expect(() => linesOf('a\x1b[2Ab', 80)).toThrow('moves the cursor');
  });
});

describe(terminalSvg, () => {
  const line = (text: string) => [{ text, style: 'plain' as const }];
  const svg = terminalSvg(
    'a < b',
    [[{ lines: [line('one  two')], seconds: 1 }], [{ lines: [line('<three>')], seconds: 3 }]],
    1,
  );

  it('escapes texts, and puts each column at its position', () => {
    expect(svg).toContain('<title>a &lt; b</title>');
    expect(svg).toContain('>&lt;three&gt;</tspan>');
    expect(svg).toMatch(/<tspan x="18" [^>]*>one<\/tspan><tspan x="60.15" [^>]*>two<\/tspan>/);
  });

  it('shows each scene in its time, and one scene without animation', () => {
    expect(svg).toContain('@keyframes s0 { 0% { opacity: 1 } 25% { opacity: 0 }');
    expect(svg).toContain('@keyframes s1 { 0% { opacity: 0 } 25% { opacity: 1 }');
    expect(svg.match(/class="step still" id="s1"/)).not.toBeNull();
    expect(svg).not.toContain('class="step still" id="s0"');
  });
});

describe('docs/images/demo.svg', () => {
  const picture = readFileSync(new URL('../../../../docs/images/demo.svg', import.meta.url), 'utf8');

  it('keeps the picture small, without resources of other sites', () => {
    expect(picture.length).toBeLessThan(60_000);
    expect(picture).not.toMatch(/<script|href=|url\(|@import/);
  });

  it('shows no path of the recording machine', () => {
    expect([...picture.matchAll(/(?<=[\s>(])\/[\w./-]+/g)].map(([path]) => path)).toEqual(
      expect.arrayContaining(['/etc/fleet-mesh/tunnels.yaml']),
    );
    expect(picture).not.toMatch(/\/(?:tmp|home|root|work|var)\//);
  });
});
