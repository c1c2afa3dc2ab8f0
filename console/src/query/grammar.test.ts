import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { narrowed, type Of, parse, type Place, toggled, type Value, valueOf } from './grammar';

interface Search {
  of: Of;
  q: string;
  read: {
    terms: { at: Place; not: boolean; what: string; values: Value[] }[];
    mistakes: { at: Place; text: string }[];
  };
}

const { searches } = JSON.parse(
  readFileSync(new URL('../../../crates/server/src/decide/query/corpus.json', import.meta.url), 'utf8'),
) as { searches: Search[] };

it.each(searches)('reads as the server does: $of $q', ({ of, q, read }) => {
  const words = parse(q, of);
  const right = words.filter((word) => !word.fault);
  expect(right.map(({ at, not, row, values }) => ({ at, not, what: row?.what ?? 'text', values }))).toEqual(read.terms);
  const faults = words.flatMap((word) => (word.fault ? [word.fault.at] : []));
  expect(faults).toEqual(read.mistakes.map(({ at }) => at));
});

it('writes a search so that it is read as the same', () => {
  for (const { of, q } of searches) {
    const again = parse(q, of).map(({ raw }) => raw).join(' ');
    const read = (search: string) => parse(search, of).map(({ not, row, value, values, fault }) => ({ not, row, value, values, fault: fault?.kind }));
    expect(read(again)).toEqual(read(q));
  }
});

it('narrows to one value of a qualifier, and to all again', () => {
  expect(narrowed('bill tag:x', 'status', 'paused')).toBe('status:paused bill tag:x');
  expect(narrowed('status:ok bill', 'status', 'paused')).toBe('status:paused bill');
  expect(narrowed('status:ok bill', 'status', undefined)).toBe('bill');
  expect(narrowed('', 'owner', 'Li Na')).toBe('owner:"Li Na"');
  expect(narrowed('tag:"a b",c', 'tag', 'x,y')).toBe('tag:"x,y"');
  expect(narrowed('-tag:"a,b" bill', 'status', 'ok')).toBe('status:ok -tag:"a,b" bill');
  expect(valueOf('a status:ok -status:paused', 'status')).toBe('ok');
  expect(toggled('a b', 'B')).toBe('a');
  expect(toggled('a', 'tag:x')).toBe('a tag:x');
  expect(toggled('tag:"a b",c', 'x')).toBe('tag:"a b",c x');
});
