import { expect, it } from 'vitest';
import type { Run } from '../api/queries';
import { fireOf, late, took } from './Run';

const run = (more: Partial<Run>) => ({ fireAt: '2026-11-20T02:00:00.000Z', decidedAt: '2026-11-20T02:00:05.000Z', ...more }) as Run;

it('a fire by hand has its trigger in its id', () => {
  expect(fireOf('1795136400000')).toEqual({ fire: '1795136400000' });
  expect(fireOf('1795136400000/by/hand')).toEqual({ fire: '1795136400000', trigger: 'by/hand' });
});

it('what never ran took no time and was not late, and nothing is late before its instant', () => {
  expect([took(run({})), late(run({}))]).toEqual([undefined, undefined]);
  const ran = run({ startedAt: '2026-11-20T02:00:00.200Z' });
  expect([took(ran), late(ran)]).toEqual([4_800, 200]);
  expect(late(run({ startedAt: '2026-11-20T01:59:59.900Z' }))).toBe(0);
});
