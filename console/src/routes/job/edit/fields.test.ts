import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { GROUPS, read, SCHEDULE, type Spec, UNUSED } from './fields';

const page = readFileSync(new URL('../../../../../docs/reference/jobs-file.md', import.meta.url), 'utf8');
const rows = page.split('\n').flatMap((line): [string, string][] => {
  const row = /^\| `([\w.]+)` \| (?:`([^`]*)`)? *\|/.exec(line);
  return row ? [[row[1] ?? '', row[2] ?? '']] : [];
});
const specs = [...Object.values(GROUPS).flat(), ...SCHEDULE];

it('every setting of a jobs file has a field, with the default that the server has', () => {
  const told = rows.filter(([key]) => !UNUSED.includes(key)).sort();
  expect(specs.map((spec) => [spec.key, spec.default]).sort()).toEqual(told);
});

const COUNT: Spec = { key: 'shardingTotalCount', kind: 'number', default: '1' };
const SWITCH: Spec = { key: 'failover', kind: 'switch', default: 'false' };
const TIME: Spec = { key: 'timeout', kind: 'duration', default: '' };

it('what is typed is a number or a truth where it is one, and text where it is wrong', () => {
  expect(read(COUNT, '12')).toBe(12);
  expect(read(COUNT, 'many')).toBe('many');
  expect(read(SWITCH, 'true')).toBe(true);
  expect(read(TIME, '')).toBeUndefined();
  expect(read(TIME, '10m')).toBe('10m');
});
