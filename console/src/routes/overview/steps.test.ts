import { expect, it } from 'vitest';
import { added } from '../../parts/balance';
import { steps } from './steps';

const done = (now: Parameters<typeof steps>[0]) => steps(now).filter((step) => step.done).map(({ step }) => step);

it('goes from nothing to the first outcome', () => {
  expect(done({ projects: 0, jobs: 0, statuses: {}, balance: added([]) })).toEqual([]);
  expect(done({ projects: 1, jobs: 0, statuses: {}, balance: added([]) })).toEqual(['project']);
  expect(done({ projects: 1, jobs: 2, statuses: { CRASHED: 2 }, balance: added([]) })).toEqual(['project', 'job']);
  expect(done({ projects: 1, jobs: 2, statuses: { CRASHED: 1, OK: 1 }, balance: { ...added([]), due: 2, running: 2 } })).toEqual(['project', 'job', 'instance']);
});

it('is over with the first outcome, and where outcomes are not known but instances are there', () => {
  expect(steps({ projects: 1, jobs: 1, statuses: { CRASHED: 1 }, balance: { ...added([]), due: 2, succeeded: 1, unaccounted: 1 } })).toEqual([]);
  expect(steps({ projects: 1, jobs: 1, statuses: { OK: 1 } })).toEqual([]);
  expect(steps({ projects: 1, jobs: 1, statuses: {} })).toHaveLength(4);
});
