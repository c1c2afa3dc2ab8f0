import { expect, it } from 'vitest';
import type { Schemas } from '../api/client';
import type { Session } from '../api/can';
import { allowed, offersOf, offersOfHost, offersOfInstance, offersOfItem } from './offers';

function hold(kind: string, scope: string, target = ''): Schemas['HoldView'] {
  return { kind, scope, target, job: 'a', by: 'lina', at: '2026-01-01T00:00:00.000Z', origin: 'operator' };
}

const online = (...holds: Schemas['HoldView'][]) => ({ state: 'online', holds });

it('a job that is stopped is offered its way back in the place of what stopped it', () => {
  expect(offersOf(online())).toEqual(['trigger', 'pause', 'drain', 'disable', 'rebalance', 'offline', 'remove']);
  expect(offersOf(online(hold('pause', 'job')))).toEqual(['trigger', 'resume', 'disable', 'rebalance', 'offline', 'remove']);
  expect(offersOf(online(hold('drain', 'job')))).toContain('resume');
  expect(offersOf(online(hold('disable', 'job')))).toContain('enable');
});

it('what stands of one host or item is not the job’s to resume', () => {
  expect(offersOf(online(hold('drain', 'host', '10.0.0.1'), hold('disable', 'item', '3')))).toEqual(offersOf(online()));
});

it('a job that is offline comes back or goes, and one that is being removed is left alone', () => {
  expect(offersOf({ state: 'offline', holds: [] })).toEqual(['online', 'remove']);
  expect(offersOf({ state: 'removing', holds: [] })).toEqual([]);
});

it('a host is drained or resumed, disabled or enabled', () => {
  expect(offersOfHost('10.0.0.1', online(), true)).toEqual(['drain', 'disable']);
  expect(offersOfHost('10.0.0.1', online(hold('drain', 'host', '10.0.0.1')), true)).toEqual(['resume', 'disable']);
  expect(offersOfHost('10.0.0.1', online(hold('drain', 'host', '10.0.0.2')), false)).toEqual(['drain', 'enable']);
});

it('an instance of a job that is online can be shut down', () => {
  expect(offersOfInstance(online())).toEqual(['shutdown']);
  expect(offersOfInstance({ state: 'offline', holds: [] })).toEqual([]);
});

it('a held item is offered to go on first', () => {
  expect(offersOfItem({ status: 'PENDING', held: {} }, 'online')).toEqual(['itemResume', 'itemDisable']);
  expect(offersOfItem({ status: 'DISABLED' }, 'online')).toEqual(['itemEnable']);
  expect(offersOfItem({ status: 'PENDING' }, 'offline')).toEqual([]);
});

it('only what a role may do is offered', () => {
  const who = (role: string) => ({ role: null, projects: { billing: role }, person: {} }) as unknown as Session;
  const acts = offersOf(online());
  expect(allowed(acts, who('viewer'), 'billing')).toEqual([]);
  expect(allowed(acts, who('operator'), 'billing')).toEqual(acts.filter((act) => act !== 'remove'));
  expect(allowed(acts, who('developer'), 'billing')).toEqual(acts);
  expect(allowed(acts, who('developer'), 'warehouse')).toEqual([]);
});
