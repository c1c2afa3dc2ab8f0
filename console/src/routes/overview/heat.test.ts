import { expect, it } from 'vitest';
import { heat } from './heat';

const at = (text: string) => Date.parse(text);
/** A day in which so much is due in some of its minutes. */
const day = (due: Record<number, number>) => Array.from({ length: 1_440 }, (_, minute) => due[minute] ?? 0);

it('puts each minute below its own, and the same hour of tomorrow into a row of its own', () => {
  const { hours, cells, now } = heat(day({ 0: 1, 50: 4, 1_439: 1 }), at('2026-11-20T02:12:00Z'), 'UTC');
  expect(hours).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2]);
  expect(now).toBe(12);
  expect(cells.map(({ row, column }) => [row, column])).toEqual([[0, 12], [1, 2], [24, 11]]);
});

it('shades grow with how much is due, and a single item is seen beside a peak', () => {
  const { cells, peak } = heat(day({ 1: 1, 2: 90, 3: 312 }), at('2026-11-20T00:00:00Z'), 'UTC');
  expect(cells.map((cell) => cell.shade)).toEqual([1, 3, 5]);
  expect(peak).toEqual({ at: at('2026-11-20T00:03:00Z'), row: 0, column: 3, items: 312 });
});

it('minutes are those of the zone, also of one that is half an hour off', () => {
  const { hours, cells } = heat(day({ 0: 1 }), at('2026-11-20T00:10:00Z'), 'Asia/Kolkata');
  expect(cells).toEqual([{ row: 0, column: 40, shade: 5 }]);
  expect(hours.slice(0, 2)).toEqual([5, 6]);
});

it('rows say what a clock shows that is changed within the day', () => {
  expect(heat(day({}), at('2026-10-24T23:00:00Z'), 'Europe/Berlin').hours.slice(0, 4)).toEqual([1, 2, 2, 3]);
});

it('a day with nothing due has no peak, and no minutes no rows', () => {
  expect(heat(day({}), 0, 'UTC')).toMatchObject({ cells: [], peak: undefined });
  expect(heat([], 0, 'UTC').hours).toEqual([]);
});
