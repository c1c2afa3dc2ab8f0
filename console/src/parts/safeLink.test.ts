import { expect, it } from 'vitest';
import { safeLink, safeNext } from './safeLink';

it('goes only to pages', () => {
  expect(safeLink('https://example.com/a?b#c')).toBe('https://example.com/a?b#c');
  expect(safeLink('/jobs')).toBe('/jobs');
  for (const evil of ['javascript:alert(1)', ' javascript:alert(1)', 'data:text/html,x', '//evil.example', '/\\evil.example', 'vbscript:x', '']) {
    expect(safeLink(evil), evil).toBeUndefined();
  }
});

it('goes on only within this site', () => {
  expect(safeNext('/jobs?q=a')).toBe('/jobs?q=a');
  for (const evil of ['https://evil.example', '//evil.example', '/\\evil.example', '/sign-in?next=/x', '/a\tb', '', undefined]) {
    expect(safeNext(evil), evil).toBeUndefined();
  }
});
