import { expect, it } from 'vitest';
import type { Session } from '../api/can';
import { placeOf, placesOf } from './places';

it('every page belongs to a place', () => {
  const of = (path: string) => placeOf(path)?.to;
  expect(of('/')).toBe('/');
  expect(of('/jobs/billing/report/ledger')).toBe('/jobs');
  expect(of('/fires/billing/report/1795136400000')).toBe('/runs');
  expect(of('/runs/01a8b2e7')).toBe('/runs');
  expect(of('/alerts/rules')).toBe('/alerts');
  expect(of('/nowhere')).toBeUndefined();
});

it('nobody is led to what they may not see', () => {
  const session = (role: string) => ({ role, projects: {}, person: {} }) as unknown as Session;
  const health = (me: Session | undefined) => placesOf(me).some(({ to }) => to === '/settings/health');
  expect(health(session('admin'))).toBe(true);
  expect(health(session('viewer'))).toBe(false);
  expect(health(undefined)).toBe(false);
});
