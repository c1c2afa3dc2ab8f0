import { expect, it } from 'vitest';
import { type Content, type Edit, isChanged, patch, patched, rebase, valueOf, withValue, words } from './edit';

const content = (settings: Content['settings'], more: Partial<Content> = {}): Content => ({ settings, owner: '', tags: '', ...more });
const edit = (base: Content['settings'], mine: Content['settings']): Edit => ({ version: 3, base: content(base), mine: content(mine) });

it('a key of a group is read and set within it, and an empty group goes', () => {
  const settings = { cron: 'x', retry: { maxAttempts: 3 } };
  expect(valueOf(settings, 'retry.maxAttempts')).toBe(3);
  expect(valueOf(settings, 'retry.backoff')).toBeUndefined();
  expect(withValue(settings, 'retry.backoff', '2s')).toEqual({ cron: 'x', retry: { maxAttempts: 3, backoff: '2s' } });
  expect(withValue(settings, 'retry.maxAttempts', undefined)).toEqual({ cron: 'x' });
  expect(withValue(settings, 'props', { 'a.b': '1' })).toMatchObject({ props: { 'a.b': '1' } });
});

it('only what was changed is sent, and what was taken away is null', () => {
  const before = { cron: 'a', timeout: '1m', props: { x: '1', y: '2' }, retry: { maxAttempts: 2 } };
  const after = { cron: 'b', props: { x: '1', z: '3' }, retry: { maxAttempts: 2 } };
  expect(patch(before, after)).toEqual({ cron: 'b', timeout: null, props: { y: null, z: '3' } });
  expect(patched(before, patch(before, after))).toEqual(after);
  expect(patch(before, { ...before })).toEqual({});
});

it('the order of keys is no change', () => {
  expect(isChanged(edit({ a: 1, b: 2 }, { b: 2, a: 1 }))).toBe(false);
  expect(isChanged(edit({ a: 1 }, { a: '1' }))).toBe(true);
});

it('what somebody else saved meanwhile stays, and what was typed here too', () => {
  const mine = edit({ cron: 'a', timeout: '1m' }, { cron: 'b', timeout: '1m' });
  const { edit: then, clashes } = rebase(mine, content({ cron: 'a', timeout: '5m', failover: true }, { owner: 'ops' }), 4);
  expect(then).toEqual({
    version: 4,
    base: content({ cron: 'a', timeout: '5m', failover: true }, { owner: 'ops' }),
    mine: content({ cron: 'b', timeout: '5m', failover: true }, { owner: 'ops' }),
  });
  expect(clashes).toEqual([]);
});

it('where both changed the same, what was typed here stands and is named', () => {
  const { edit: then, clashes } = rebase(edit({ cron: 'a', props: { x: '1' } }, { cron: 'b', props: { x: '2' } }), content({ cron: 'c', props: { x: '3' } }), 4);
  expect(then.mine.settings).toEqual({ cron: 'b', props: { x: '2' } });
  expect(clashes).toEqual([
    { key: 'cron', base: 'a', theirs: 'c', mine: 'b' },
    { key: 'props.x', base: '1', theirs: '3', mine: '2' },
  ]);
});

it('tags are words with anything between that separates words', () => {
  expect(words(' nightly, money 钱、夜 nightly')).toEqual(['nightly', 'money', '钱', '夜']);
});
