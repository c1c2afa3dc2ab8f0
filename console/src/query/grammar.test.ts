import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { narrowed, parse, QUALIFIERS, toggled, valueOf, written } from './grammar';

interface Example {
  text: string;
  words?: string[];
  fault?: string;
}

const corpus = JSON.parse(
  readFileSync(new URL('../../../crates/server/tests/corpus/searches.json', import.meta.url), 'utf8'),
) as { qualifiers: string[]; examples: Example[] };

it('knows the qualifiers that the server knows', () => {
  expect([...QUALIFIERS].sort()).toEqual([...corpus.qualifiers].sort());
});

it.each(corpus.examples)('reads as the server does: $text', ({ text, words, fault }) => {
  const read = parse(text);
  const faulty = read.find((word) => word.fault);
  if (fault === undefined) {
    expect(faulty).toBeUndefined();
    expect(read.map((word) => `${word.not ? '-' : ''}${word.qualifier ?? ''}|${word.value.toLowerCase()}`)).toEqual(words);
  } else expect(faulty?.raw).toBe(fault);
});

it('writes a word so that it is read as the same', () => {
  for (const { text } of corpus.examples.filter((example) => example.fault === undefined)) {
    const again = parse(text).map(written).join(' ');
    const read = (search: string) => parse(search).map(({ not, qualifier, value }) => ({ not, qualifier, value }));
    expect(read(again)).toEqual(read(text));
  }
});

it('narrows to one value of a qualifier, and to all again', () => {
  expect(narrowed('bill tag:x', 'status', 'paused')).toBe('status:paused bill tag:x');
  expect(narrowed('status:ok bill', 'status', 'paused')).toBe('status:paused bill');
  expect(narrowed('status:ok bill', 'status', undefined)).toBe('bill');
  expect(narrowed('', 'owner', 'Li Na')).toBe('owner:"Li Na"');
  expect(valueOf('a status:ok -status:paused', 'status')).toBe('ok');
  expect(toggled('a b', 'B')).toBe('a');
  expect(toggled('a', 'tag:x')).toBe('a tag:x');
});
