import { expect, it } from 'vitest';
import { actionOf, namesIn, selectOf, wouldOf } from './select';

it('names come back from the address as they were, whatever stands in them', () => {
  const jobs = [{ project: 'a', name: 'x,y/z %2C' }, { project: 'b', name: '日报 "><b' }];
  expect(selectOf({ jobs: namesIn(jobs) })).toEqual({ jobs });
});

it('a search selects, an empty one everything, and nothing said nothing', () => {
  expect(selectOf({ q: 'tag:nightly' })).toEqual({ q: 'tag:nightly' });
  expect(selectOf({ q: '' })).toEqual({ q: '' });
  expect(selectOf({})).toBeUndefined();
  expect(selectOf({ jobs: 'nonsense' })).toBeUndefined();
});

it('only what can be done with many is an action', () => {
  expect(actionOf({ action: 'pause' })).toBe('pause');
  expect(actionOf({ action: 'remove' })).toBeUndefined();
});

it('those that may not be operated were not counted, and those that are refused are', () => {
  expect(wouldOf(10, { 'not-allowed': 3, 'not-found': 1, 'job-paused': 2 })).toBe(8);
  expect(wouldOf(4, {})).toBe(4);
});
