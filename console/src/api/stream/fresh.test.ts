import { expect, it } from 'vitest';
import { NOTHING, state } from './fresh';

const heard = { ...NOTHING, at: 100_000 };

it.each([
  ['connecting', NOTHING, 0],
  ['live', heard, 105_000],
  ['old', heard, 112_000],
  ['old', { ...heard, broken: 1 }, 101_000],
  ['away', { ...heard, broken: 3 }, 101_000],
  ['away', { ...heard, offline: true }, 101_000],
  ['catchingUp', { ...heard, catchingUp: true }, 101_000],
  ['paused', { ...heard, pausedAt: 100_500, broken: 5 }, 101_000],
] as const)('is %s', (expected, of, now) => {
  expect(state(of, now)).toBe(expected);
});
