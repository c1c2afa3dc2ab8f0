import { expect, it } from 'vitest';
import type { Unsettled } from '../../api/history';
import type { Run } from '../../api/queries';
import { counted, has, type MarkRow, type Row, rows } from './rows';

const HOUR = 3_600_000;
const at = (hours: number) => new Date(hours * HOUR).toISOString();
const run = (hour: number, item: number, more: Partial<Run> = {}) =>
  ({
    job: 'a', fire: String(hour * HOUR), fireAt: at(hour), item, outcome: 'succeeded', attempt: 1, count: 1, token: 1, source: 'schedule', instance: 'i',
    startedAt: new Date(hour * HOUR + 200).toISOString(), decidedAt: new Date(hour * HOUR + 5_200).toISOString(), ...more,
  }) as Run;
const open = (hour: number, item: number, gap: string, more: Partial<Unsettled> = {}): Unsettled => ({ from: at(hour), to: at(hour), item, gap, count: 1, ...more });
const mark = (hour: number) => ({ kind: 'mark', at: hour * HOUR, change: { kind: 'joined' } }) as MarkRow;
const shown = (all: Row[]) =>
  all.map((row) => {
    if (row.kind === 'well') return `well ${row.at / HOUR}..${row.to / HOUR} ${row.fires}x${row.items}`;
    if (!('cells' in row)) return row.kind;
    return `${row.at / HOUR} ${row.cells.map(({ item, outcome, gap }) => `${item}:${outcome ?? gap}`).join(' ')}`;
  });

it('items of one instant are one row, the newest first, those without an outcome among them', () => {
  const all = rows([run(1, 1, { outcome: 'failed' }), run(1, 0), run(2, 0)], [open(2, 1, 'running')], []);
  expect(shown(all)).toEqual(['2 0:succeeded 1:running', '1 0:succeeded 1:failed']);
});

it('tells of the worst, how long the longest took and how late the latest began', () => {
  const [row] = rows([run(1, 0), run(1, 1, { outcome: 'failed', reason: 'no', startedAt: new Date(HOUR + 900).toISOString() })], [], []);
  expect(row).toMatchObject({ worst: { outcome: 'failed' }, took: 5_000, late: 900 });
});

it('fires that went well are one row from three on, and not across what is to be said', () => {
  const well = [1, 2, 3, 4].map((hour) => run(hour, 0));
  expect(shown(rows(well, [], []))).toEqual(['well 1..4 4x1']);
  expect(shown(rows(well.slice(0, 2), [], []))).toEqual(['2 0:succeeded', '1 0:succeeded']);
  expect(shown(rows(well, [], [mark(2.5)]))).toEqual(['4 0:succeeded', '3 0:succeeded', 'mark', '2 0:succeeded', '1 0:succeeded']);
  expect(shown(rows([...well, run(5, 0, { outcome: 'failed' })], [], []))).toEqual(['5 0:failed', 'well 1..4 4x1']);
  expect(shown(rows([...well.slice(1), run(1, 0), run(1, 1)], [], []))).toEqual(['well 2..4 3x1', '1 0:succeeded 1:succeeded']);
});

it('a second attempt and a trigger by hand are told, however well they went', () => {
  const all = [run(1, 0, { attempt: 2 }), run(2, 0, { fire: `${2 * HOUR}/t-1` }), run(3, 0)];
  expect(shown(rows(all, [], []))).toHaveLength(3);
  expect(rows(all, [], [])[1]).toMatchObject({ trigger: 't-1' });
});

it('a range that never ran is one row, with the items that it is of', () => {
  const missed = (item: number) => run(6, item, { outcome: 'missed', from: at(1), count: 6, attempt: 0 });
  const all = rows([missed(0), missed(1)], [open(7, 0, 'open', { to: at(9), count: 3 })], []);
  expect(all).toMatchObject([
    { kind: 'range', at: 7 * HOUR, to: 9 * HOUR, count: 3, cells: [{ item: 0, gap: 'open' }] },
    { kind: 'range', at: HOUR, to: 6 * HOUR, count: 6, cells: [{ item: 0 }, { item: 1 }], worst: { outcome: 'missed' } },
  ]);
});

it('is narrowed by the terms of the balance', () => {
  const all = rows([run(1, 0), run(2, 0), run(3, 0), run(4, 0, { outcome: 'failed' })], [open(5, 0, 'open'), open(6, 0, 'due'), open(7, 0, 'peers')], [mark(1)]);
  const at = (term: string) => all.filter((row) => has(row, term)).map((row) => row.at / HOUR);
  expect(at('succeeded')).toEqual([1]);
  expect(at('failed')).toEqual([4]);
  expect(at('unaccounted')).toEqual([5]);
  expect(at('running')).toEqual([6]);
});

it('counts the worst first', () => {
  expect(counted([{ item: 0, outcome: 'succeeded' }, { item: 1, outcome: 'failed' }, { item: 2, outcome: 'succeeded' }, { item: 3, gap: 'open' }])).toEqual([
    ['open', 1], ['failed', 1], ['succeeded', 2],
  ]);
});
