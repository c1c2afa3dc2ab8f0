import { expect, it } from 'vitest';
import type { JobPage, JobRow } from '../queries';
import { patched, touched } from './patch';

const row = (name: string, more: Partial<JobRow> = {}) => ({ project: 'billing', name, version: 1, ...more }) as JobRow;
const data = (...items: JobRow[]) => ({ pages: [{ items, seq: 1 } as JobPage], pageParams: [''] });

it('puts a row in its place and moves none', () => {
  const before = data(row('b'), row('a'), row('c'));
  const after = patched(before, row('a', { version: 2 }));
  expect(after.pages[0]?.items.map((one) => `${one.name}${one.version}`)).toEqual(['b1', 'a2', 'c1']);
  expect(after.pages[0]?.items[0]).toBe(before.pages[0]?.items[0]);
});

it('leaves rows as they are when it is none of them', () => {
  const before = data(row('a'));
  expect(patched(before, row('x'))).toBe(before);
  expect(patched(before, row('a', { project: 'other' }))).toBe(before);
});

it('keeps the outcomes that a row of the stream comes without, with the newest in front', () => {
  const last = (at: string, outcome: string) => ({ at, outcome }) as NonNullable<JobRow['last']>;
  const before = data(row('a', { last: last('1', 'succeeded'), outcomes: ['succeeded'] }));
  const same = patched(before, row('a', { last: last('1', 'succeeded') }));
  expect(same.pages[0]?.items[0]?.outcomes).toEqual(['succeeded']);
  const next = patched(before, row('a', { last: last('2', 'failed') }));
  expect(next.pages[0]?.items[0]?.outcomes).toEqual(['failed', 'succeeded']);
});

it('a change of a job asks its page, the lists and the journal again', () => {
  const all = touched({ action: 'job.update', project: 'billing', job: 'a' });
  expect(all).toContainEqual(['job', 'billing', 'a']);
  expect(all).toContainEqual(['jobs']);
  expect(all).toContainEqual(['audit']);
  expect(all).toContainEqual(['holds', 'billing']);
  expect(all).toContainEqual(['overview']);
  expect(touched({ action: 'session.begin' })).toEqual([['audit']]);
});
