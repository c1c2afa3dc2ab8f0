import { expect, it } from 'vitest';
import { LASTS, take } from './relay';
import { pause } from './source';

it('the stream is the tab’s that holds the lease, and of the next one when it lapsed', () => {
  const first = take(undefined, 'a', 1_000);
  expect(first).toEqual({ id: 'a', until: 1_000 + LASTS });
  expect(take(first, 'b', 2_000)).toBeUndefined();
  expect(take(first, 'a', 2_000)?.until).toBe(2_000 + LASTS);
  expect(take(first, 'b', 1_000 + LASTS)?.id).toBe('b');
});

it('a refused connection is tried again after longer and longer, but never after more than half a minute', () => {
  expect([1, 2, 3, 4, 5, 50].map(pause)).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});
