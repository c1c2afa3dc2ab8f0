import { expect, it } from 'vitest';
import type { FireItem } from '../../api/history';
import { lostIn, phases } from './phases';

const DUE = Date.parse('2026-11-20T02:00:00Z');
const at = (seconds: number) => new Date(DUE + seconds * 1_000).toISOString();
const first = { attempt: 1, run: 'a', state: 'failed', claimedAt: at(0.5), startedAt: at(1) };
const told = (item: Partial<FireItem>, now = DUE) =>
  phases({ item: 0, attempts: [], ...item }, DUE, now).map(({ kind, attempt, ms, open }) => `${kind} ${attempt} ${ms}${open ? ' …' : ''}`);

it('goes from the instant by the claim and the start to the end', () => {
  expect(told({ attempts: [{ ...first, state: 'succeeded', endedAt: at(60) }] })).toEqual(['claim 1 500', 'start 1 500', 'run 1 59000']);
});

it('has the earlier attempt and the wait for the next one as phases of their own', () => {
  const second = { attempt: 2, run: 'b', state: 'running', claimedAt: at(864), startedAt: at(865) };
  expect(told({ attempts: [{ ...first, endedAt: at(850) }, second] }, DUE + 900_000)).toEqual([
    'claim 1 500', 'start 1 500', 'earlier 1 849000', 'takeover 2 14000', 'start 2 1000', 'run 2 35000 …',
  ]);
});

it('names what took long besides the run, and nothing that is short', () => {
  const second = { attempt: 2, run: 'b', state: 'succeeded', claimedAt: at(864), startedAt: at(865), endedAt: at(900) };
  const item: FireItem = { item: 0, attempts: [{ ...first, endedAt: at(850) }, second] };
  expect(lostIn(phases(item, DUE, DUE))).toMatchObject({ kind: 'earlier', attempt: 1 });
  expect(lostIn(phases({ item: 0, attempts: [{ ...first, state: 'succeeded', endedAt: at(60) }] }, DUE, DUE))).toBeUndefined();
  expect(lostIn([])).toBeUndefined();
});

it('an attempt of which no instant is on record has no phase', () => {
  expect(told({ attempts: [{ attempt: 1, run: 'a', state: 'failed' }] })).toEqual([]);
});
