import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { can, canAnywhere, LEAST, ROLES, type Session } from './can';

const page = readFileSync(new URL('../../../docs/reference/permissions.md', import.meta.url), 'utf8');

it.each(Object.entries(LEAST))('%s needs what the server says: %s', (verb, least) => {
  const line = page.split('\n').find((row) => row.startsWith(`| \`${verb}\` |`)) ?? '';
  const marks = line.split('|').slice(3, 3 + ROLES.length).map((mark) => mark.trim());
  expect(marks).toEqual(ROLES.map((_, rank) => (rank >= ROLES.indexOf(least) ? '✓' : '–')));
});

it('takes the greater of the role on the project and on all', () => {
  const session = { role: 'viewer', projects: { billing: 'developer' }, person: {} } as unknown as Session;
  expect(can(session, 'job.write', 'billing')).toBe(true);
  expect(can(session, 'job.write', 'warehouse')).toBe(false);
  expect(can(session, 'job.read', 'warehouse')).toBe(true);
  expect(can(session, 'audit.all')).toBe(false);
  expect(can(undefined, 'job.read')).toBe(false);
  expect(canAnywhere(session, 'job.write')).toBe(true);
  expect(canAnywhere(session, 'job.code')).toBe(false);
  expect(canAnywhere(undefined, 'job.read')).toBe(false);
});
