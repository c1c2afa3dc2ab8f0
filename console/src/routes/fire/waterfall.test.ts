import { expect, it } from 'vitest';
import type { FireItem } from '../../api/history';
import { waterfall } from './waterfall';

const DUE = Date.parse('2026-11-20T02:00:00Z');
const at = (seconds: number) => new Date(DUE + seconds * 1_000).toISOString();

type Tried = FireItem['attempts'][number];
const tried = (attempt: number, claimed: number, started: number, ended?: number, state = 'succeeded'): Tried => ({
  attempt, run: `run-${attempt}`, state, claimedAt: at(claimed), startedAt: at(started), ...(ended === undefined ? {} : { endedAt: at(ended) }),
});
const item = (number: number, ...attempts: Tried[]): FireItem => ({ item: number, attempts });

it('a bar lies where its attempt lay, its wait before it, and there is room at the right', () => {
  const { begin, end, rows, now } = waterfall([item(0, tried(1, 1, 2, 100))], DUE, DUE);
  expect(begin).toBe(DUE);
  expect(end - begin).toBe(104_000);
  const [bar] = rows[0]?.bars ?? [];
  expect(bar).toMatchObject({ state: 'succeeded', lane: 0, past: false });
  expect(bar?.from).toBeCloseTo(2 / 104);
  expect(bar?.to).toBeCloseTo(100 / 104);
  expect(bar?.wait?.from).toBeCloseTo(1 / 104);
  expect(bar?.wait?.to).toBe(bar?.from);
  expect(now).toBeUndefined();
});

it('what runs grows to the present', () => {
  const { rows, now } = waterfall([item(0, tried(1, 0, 0, undefined, 'running'))], DUE, DUE + 60_000);
  expect(rows[0]?.bars[0]?.to).toBeCloseTo(1 / 1.04);
  expect(now).toBeCloseTo(1 / 1.04);
});

it('a lost attempt ends where the next was claimed, and the way between is drawn where its end is told', () => {
  const lost = waterfall([item(7, tried(1, 0, 0, undefined, 'failed'), tried(2, 50, 51, 100))], DUE, DUE).rows[0];
  expect(lost?.bars.map(({ lane, past }) => [lane, past])).toEqual([[0, true], [1, false]]);
  expect(lost?.bars[0]?.to).toBeCloseTo(50 / 104);
  const told = waterfall([item(7, tried(1, 0, 0, 30, 'failed'), tried(2, 50, 51, 100))], DUE, DUE).rows[0];
  expect(told?.hops.map(({ from, to }) => [Math.round(from * 104), Math.round(to * 104)])).toEqual([[30, 50]]);
});

it('an attempt of an unknown state is drawn as one that failed, never as well', () => {
  expect(waterfall([item(0, tried(1, 0, 0, 1, 'tomorrow'))], DUE, DUE).rows[0]?.bars[0]?.state).toBe('failed');
});

it('what is usual is shown from five successes on, and is in the picture', () => {
  const of = (count: number) => waterfall([{ ...item(0, tried(1, 0, 0, 10)), usual: { count, p50: 8_000, p95: 40_000, p99: 50_000 } }], DUE, DUE);
  expect(of(4).rows[0]?.p95).toBeUndefined();
  expect(of(5).rows[0]?.p95).toBeCloseTo(1 / 1.04);
});

it('lines lie on whole steps, at most five of them, over milliseconds as over days', () => {
  for (const seconds of [0.004, 0.9, 14, 130, 3_000, 40_000, 900_000, 40_000_000]) {
    const { ticks, step, begin, end } = waterfall([item(0, tried(1, 0, 0, seconds))], DUE, DUE);
    expect(ticks.length, String(seconds)).toBeGreaterThan(0);
    expect(ticks.length, String(seconds)).toBeLessThanOrEqual(6);
    expect(ticks.every((tick) => tick % step === 0 && tick >= begin && tick <= end), String(seconds)).toBe(true);
  }
});

it('a fire of which nothing began is a picture without bars', () => {
  const { rows, end } = waterfall([item(0), item(1)], DUE, DUE);
  expect(rows.map(({ bars }) => bars)).toEqual([[], []]);
  expect(end).toBeGreaterThan(DUE);
});
