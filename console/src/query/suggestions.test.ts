import { expect, it } from 'vitest';
import { suggestions } from './suggestions';

it('offers qualifiers, then their values', () => {
  expect(suggestions('s', 'jobs')).toEqual(['state:', 'status:', 'sync:', 'streak:', 'server:']);
  expect(suggestions('-own', 'jobs')).toEqual(['owner:']);
  expect(suggestions('status:d', 'jobs')).toEqual(['status:disabled', 'status:degraded']);
  expect(suggestions('STATE:off', 'jobs')).toEqual(['state:offline']);
  expect(suggestions('state:offline', 'jobs')).toEqual([]);
  expect(suggestions('tag:x', 'jobs')).toEqual([]);
  expect(suggestions('nope:x', 'jobs')).toEqual([]);
  expect(suggestions('', 'jobs')).toEqual([]);
  expect(suggestions('so', 'runs')).toEqual(['source:']);
  expect(suggestions('source:m', 'runs')).toEqual(['source:misfire']);
  expect(suggestions('state:', 'runs')).toEqual([]);
});
