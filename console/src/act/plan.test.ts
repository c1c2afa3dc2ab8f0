import { expect, it } from 'vitest';
import type { Operation } from './acts';
import { isComplete, usual } from './Extra';
import { goesOn, standing } from './plan';

const word = (state: string) => ({ state }) as Operation;

it('an operation stands as the server says, and one in a state that is not known here goes on', () => {
  const states = ['done', 'running', 'pending', 'partial', 'failed', 'cancelled', 'of tomorrow'];
  expect(states.map((state) => standing(word(state)))).toEqual(['done', 'goesOn', 'waits', 'partly', 'failed', 'stopped', 'goesOn']);
  expect(states.filter((state) => goesOn(word(state)))).toEqual(['running', 'pending', 'of tomorrow']);
});

it('a drain says how long it waits', () => {
  expect(isComplete('drain', usual('drain'))).toBe(true);
  expect(isComplete('drain', { timeout: 0 })).toBe(false);
  expect(isComplete('pause', usual('pause'))).toBe(true);
});
