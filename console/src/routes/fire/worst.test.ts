import { expect, it } from 'vitest';
import type { FireItem } from '../../api/history';
import { OUTCOMES, RUNNING, UNACCOUNTED } from '../../parts/Glyph';
import { worst } from './worst';

const ended = (outcome: string) => ({ item: 0, attempts: [], outcome: { outcome } }) as unknown as FireItem;
const open = (gap: string): FireItem => ({ item: 1, attempts: [], gap });

it('a fire is as well as its worst item', () => {
  expect(worst([ended('succeeded'), ended('skipped'), ended('failed')])).toBe(OUTCOMES['failed']);
  expect(worst([ended('succeeded'), ended('coalesced')])).toBe(OUTCOMES['coalesced']);
  expect(worst([ended('succeeded')])).toBe(OUTCOMES['succeeded']);
});

it('it runs while one of its items does, and what nothing accounts for comes first', () => {
  expect(worst([ended('failed'), open('running')])).toBe(RUNNING);
  expect(worst([open('running'), open('open')])).toBe(UNACCOUNTED);
  expect(worst([open('due')])?.word).toBe('gap.due');
  expect(worst([])).toBeUndefined();
});
