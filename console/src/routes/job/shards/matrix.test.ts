import { expect, it } from 'vitest';
import { columns, ipOf, type LiveItem, type LiveJob, newest, parameters, rows } from './matrix';
import { asked, supposed, written } from './whatif';

const A = '10.0.0.1@-@1';
const B = '10.0.0.2@-@2';
const C = '10.0.0.2@-@3';

function item(number: number, more: Partial<LiveItem> = {}): LiveItem {
  return { item: number, running: false, orphaned: false, misfired: false, status: 'PENDING', ...more };
}

function job(ids: readonly string[], items: readonly LiveItem[]): LiveJob {
  const instances = ids.map((id) => ({ id, ip: ipOf(id), items: 0, kind: 'clockwright', leader: false, since: '' }));
  return { instances, items, hosts: [{ ip: '10.0.0.2', enabled: false, instances: 1 }] } as unknown as LiveJob;
}

const words = (of: LiveJob) => rows(of, 'instance', new Map()).map((row) => row.sign.word);

it('an instance that left keeps its column for as long as an item names it', () => {
  const before = columns(job([A, B], [item(0, { owner: A }), item(1, { owner: B })]), 'instance');
  expect(before.map(({ id, kind, items }) => [id, kind, items])).toEqual([[A, 'live', 1], [B, 'live', 1]]);
  const left = columns(job([A], [item(0, { owner: A }), item(1, { owner: B })]), 'instance');
  expect(left.map(({ id, kind }) => [id, kind])).toEqual([[A, 'live'], [B, 'gone']]);
  const shared = columns(job([A], [item(0, { owner: A }), item(1, { owner: A })]), 'instance');
  expect(shared.map(({ id, items }) => [id, items])).toEqual([[A, 2]]);
});

it('instances of a host are one column by host, and a host that is disabled is marked', () => {
  const all = columns(job([A, B, C], [item(0, { owner: B }), item(1, { owner: C })]), 'host', ['new-1@-@1']);
  expect(all.map(({ id, items, isOff, kind }) => [id, items, isOff, kind])).toEqual([
    ['10.0.0.1', 0, false, 'live'],
    ['10.0.0.2', 2, true, 'live'],
    ['new-1@-@1', 0, false, 'new'],
  ]);
});

it('a tile says what needs somebody before what runs, and that before how it ended', () => {
  const held = { code: 'cursor_gone', reason: '', version: 1 };
  const last = { outcome: 'failed' } as NonNullable<LiveItem['last']>;
  const all = [
    item(0, { owner: A, held, status: 'DISABLED' }),
    item(1, { owner: A, status: 'DISABLED' }),
    item(2, { owner: B, orphaned: true }),
    item(3, { owner: B, takenBy: A, running: true, orphaned: true }),
    item(4, { owner: A, running: true, last }),
    item(5),
    item(6, { owner: B }),
    item(7, { owner: A, misfired: true, last }),
    item(8, { owner: A, last }),
    item(9, { owner: A }),
  ];
  expect(words(job([A], all))).toEqual([
    'tile.held', 'tile.disabled', 'tile.orphaned', 'tile.taken', 'tile.running', 'tile.nobody', 'tile.gone', 'tile.misfired', 'outcome.failed',
    'tile.waiting',
  ]);
});

it('an item that was taken over stands where it runs, and remembers where it was', () => {
  const [row] = rows(job([A], [item(3, { owner: B, takenBy: A, running: true })]), 'instance', parameters('3=cn=east, 4 = x'));
  expect(row).toMatchObject({ column: A, before: B, name: 'cn=east' });
});

it('the names of items are read as far as they can be', () => {
  expect([...parameters('0=a, 2=b,c,=d')]).toEqual([[0, 'a'], [2, 'b']]);
  expect(parameters(undefined).size).toBe(0);
});

it('the newest outcomes are kept for each item, a few of each', () => {
  const run = (number: number, outcome: string) => ({ item: number, outcome }) as Parameters<typeof newest>[0][number];
  const all = newest([run(0, 'failed'), run(1, 'missed'), run(0, 'succeeded'), run(0, 'succeeded')], 2);
  expect([...all]).toEqual([[0, ['failed', 'succeeded']], [1, ['missed']]]);
});

it('what is supposed is read from the address and asked of the server', () => {
  expect(supposed(`leave:${A}`)).toEqual({ kind: 'leave', value: A });
  expect(written({ kind: 'join', value: '2' })).toBe('join:2');
  expect(supposed('nonsense:1')).toBeUndefined();
  expect(supposed('join:')).toBeUndefined();
  expect(asked({ kind: 'leave', value: `${A},${B}` })).toEqual({ leave: [A, B] });
  expect(asked({ kind: 'count', value: '16' })).toEqual({ items: 16 });
  expect(asked({ kind: 'count', value: 'x' })).toBeUndefined();
  expect(asked({ kind: 'strategy', value: 'ODEVITY' })).toEqual({ strategy: 'ODEVITY' });
});
