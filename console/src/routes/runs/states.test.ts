import { expect, it } from 'vitest';
import { statesOf } from './states';

const at = (seconds: number) => new Date(seconds * 1_000).toISOString();
const firing = (second: number) => ['TASK_STAGING', 'TASK_RUNNING', 'TASK_FINISHED'].map((state, index) => ({ state, at: at(second + index * 0.1), message: String(second) }));
const all = [...firing(2), ...firing(4), ...firing(6)];

it('are those from the beginning before the run to the next one', () => {
  expect(statesOf(all, at(4.05))).toEqual(firing(4));
  expect(statesOf(all, at(60))).toEqual(firing(6));
});

it('are all where nobody knows better', () => {
  expect(statesOf(all, undefined)).toBe(all);
  expect(statesOf(all, at(1))).toBe(all);
  expect(statesOf([], at(1))).toEqual([]);
});
