import { expect, it } from 'vitest';
import { suggestions } from './suggestions';

it('offers qualifiers, then their values', () => {
  expect(suggestions('s')).toEqual(['state:', 'status:', 'sync:', 'streak:', 'server:']);
  expect(suggestions('-own')).toEqual(['owner:']);
  expect(suggestions('status:d')).toEqual(['status:disabled', 'status:degraded']);
  expect(suggestions('STATE:off')).toEqual(['state:offline']);
  expect(suggestions('state:offline')).toEqual([]);
  expect(suggestions('tag:x')).toEqual([]);
  expect(suggestions('nope:x')).toEqual([]);
  expect(suggestions('')).toEqual([]);
});
