import { expect, it } from 'vitest';
import { added, type Balance, TERMS, unaccounted } from './balance';

const some = (more: Partial<Balance>): Balance => ({ ...added([]), ...more });

it('is balanced when the terms are what was due, and tells how many are missing', () => {
  expect(unaccounted(some({ due: 5, succeeded: 3, running: 2 }))).toBe(0);
  expect(unaccounted(some({ due: 5, succeeded: 3, unaccounted: 2 }))).toBe(2);
  expect(unaccounted(some({ due: 6, succeeded: 3, unaccounted: 2 }))).toBe(3);
});

it('the balance of two spans is that of both', () => {
  const sum = added([some({ due: 3, succeeded: 2, failed: 1 }), some({ due: 4, succeeded: 1, missed: 3 })]);
  expect(sum).toEqual(some({ due: 7, succeeded: 3, failed: 1, missed: 3 }));
  expect(TERMS.reduce((all, term) => all + sum[term], 0)).toBe(sum.due);
});
