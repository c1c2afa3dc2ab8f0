import { expect, it } from 'vitest';
import { cells, cut, spoken, wayOf, withWay } from './schedule';

it('a job says when in one way, and another way takes its place', () => {
  expect(wayOf({ cron: '0 0 2 * * ?' })).toEqual({ way: 'cron', text: '0 0 2 * * ?' });
  expect(wayOf({ every: '90s' })).toEqual({ way: 'every', text: '90s' });
  expect(wayOf({ cron: '' })).toEqual({ way: 'hand', text: '' });
  expect(wayOf({})).toEqual({ way: 'cron', text: '' });
  expect(withWay({ cron: 'x', timeout: '1m' }, 'every', '5s')).toEqual({ every: '5s', timeout: '1m' });
  expect(withWay({ every: '5s' }, 'hand', 'ignored')).toEqual({ cron: '' });
  expect(withWay({ cron: 'x', timeout: '1m' }, 'cron', '')).toEqual({ timeout: '1m' });
});

it('intervals and instants are asked about in the words of a cron', () => {
  expect(spoken({ way: 'every', text: ' 30s' })).toBe('@every 30s');
  expect(spoken({ way: 'once', text: '2027-01-01T00:00:00Z' })).toBe('@once 2027-01-01T00:00:00Z');
  expect(spoken({ way: 'cron', text: '0 0 2 * * ?' })).toBe('0 0 2 * * ?');
  expect(spoken({ way: 'hand', text: '' })).toBeUndefined();
  expect(spoken({ way: 'cron', text: '  ' })).toBeUndefined();
});

it('the field at fault is marked, by where it stands or by its name', () => {
  const bad = (problem: Parameters<typeof cells>[1][number]) => cells('0 0/75  2 * * ?', [problem]).flatMap((cell) => (cell.isBad ? [cell.field] : []));
  expect(bad({ field: 'minute', message: '', from: 2, to: 6 })).toEqual(['minute']);
  expect(bad({ field: 'day of week', message: '' })).toEqual(['dayOfWeek']);
  expect(bad({ field: 'cron', message: '' })).toEqual([]);
  expect(cells('0 0 2', []).map((cell) => [cell.field, cell.text, cell.from])).toEqual([['second', '0', 0], ['minute', '0', 2], ['hour', '2', 4]]);
});

it('what is wrong is cut out by characters, not by units of memory', () => {
  expect(cut('0 😀 2', { field: 'minute', message: '', from: 2, to: 3 })).toEqual(['0 ', '😀', ' 2']);
  expect(cut('x', undefined)).toEqual(['x', '', '']);
});
