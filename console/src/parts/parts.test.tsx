import { renderToStaticMarkup } from 'react-dom/server';
import { beforeAll, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { load, sayNow } from '../words/say';
import { added } from './balance';
import { Balanced, BalanceLine } from './Balance';
import { signOf, STATUSES, UNSEEN } from './Glyph';
import { meaning } from './States';
import { Strip } from './Strip';

beforeAll(async () => {
  vi.stubGlobal('navigator', { language: 'en' });
  await load('en');
});

it('a strip says what it shows, and shows the newest on the right', () => {
  const html = renderToStaticMarkup(<Strip outcomes={['missed', 'succeeded', 'succeeded']} />);
  expect(html).toContain('aria-label="2 succeeded, 1 missed"');
  const drawn = [...html.matchAll(/href="#(g-\w+)" x="(\d+)"/g)].map(([, shape, x]) => [shape, Number(x)]);
  expect(drawn).toEqual([['g-ok', 170], ['g-ok', 180], ['g-miss', 190]]);
});

it('a strip without outcomes says so, and one of a word that is not known leaves its place empty', () => {
  expect(renderToStaticMarkup(<Strip outcomes={[]} />)).toContain('no outcomes yet');
  expect(renderToStaticMarkup(<Strip outcomes={['tomorrow']} />)).not.toContain('<use');
});

it('a job that runs is running only while all is well with it', () => {
  expect(signOf({ status: 'OK', running: true })).toBe(STATUSES['RUNNING']);
  expect(signOf({ status: 'PAUSED', running: true })).toBe(STATUSES['PAUSED']);
  expect(signOf({ status: null, running: false })).toBe(UNSEEN);
  expect(signOf({ status: 'NEW_WORD', running: false })).toBe(UNSEEN);
});

it('a problem is told in words, also one whose code is newer than these', () => {
  const say = sayNow;
  expect(meaning(new Problem({ status: 409, code: 'job-paused' }), say)).toBe('The job is paused');
  expect(meaning(new Problem({ status: 0, code: 'unreachable' }), say)).toBe('The server does not answer');
  expect(meaning(new Problem({ status: 409, code: 'request' }), say)).toBe('The server failed at this request');
});

it('a balance has a link for what there is, and says aloud what nothing accounts for', () => {
  const html = (due: number, unaccounted: number) => {
    const of = { ...added([]), due, failed: 1, unaccounted };
    return renderToStaticMarkup(
      <>
        <BalanceLine of={of} link={(term, props) => <em title={term}>{props.children}</em>} />
        <Balanced of={of} />
      </>,
    );
  };
  expect(html(1, 0)).toContain('<em title="failed">');
  expect(html(1, 0)).not.toContain('<em title="succeeded">');
  expect(html(1, 0)).toContain('Balanced: every instant has its outcome');
  expect(html(3, 2)).toContain('2 instants without an outcome');
  expect(html(3, 2)).toContain('role="alert"');
  expect(html(3, 1)).toContain('2 instants without an outcome');
});
