import { expect, it } from 'vitest';
import { draft, forgetDrafts, keep } from './drafts';

/** As a browser's: what is kept are its own properties. */
function store(): Storage {
  const made = Object.create({
    getItem(this: Record<string, string>, key: string) {
      return this[key] ?? null;
    },
    setItem(this: Record<string, string>, key: string, value: string) {
      this[key] = value;
    },
    removeItem(this: Record<string, string>, key: string) {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      delete this[key];
    },
  }) as Storage;
  return made;
}

const DAY = 24 * 3_600_000;
const isText = (value: unknown): value is string => typeof value === 'string';

it('a draft comes back until it is sent, too old, or of another shape', () => {
  const kept = store();
  keep(kept, 'lina', 'a', 'typed', 0);
  expect(draft(kept, 'lina', 'a', DAY, isText)).toEqual({ at: 0, value: 'typed' });
  expect(draft(kept, 'somebody', 'a', DAY, isText)).toBeUndefined();
  expect(draft(kept, 'lina', 'a', 15 * DAY, isText)).toBeUndefined();
  keep(kept, 'lina', 'a', 7, 0);
  expect(draft(kept, 'lina', 'a', DAY, isText)).toBeUndefined();
  keep(kept, 'lina', 'a', undefined, 0);
  expect(draft(kept, 'lina', 'a', 0, isText)).toBeUndefined();
});

it('signing out forgets one’s own drafts alone', () => {
  const kept = store();
  keep(kept, 'lina', 'a', 'mine', 0);
  keep(kept, 'linus', 'a', 'theirs', 0);
  forgetDrafts(kept, 'lina');
  expect(draft(kept, 'lina', 'a', 0, isText)).toBeUndefined();
  expect(draft(kept, 'linus', 'a', 0, isText)).toEqual({ at: 0, value: 'theirs' });
});
