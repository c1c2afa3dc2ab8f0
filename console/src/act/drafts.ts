/** What was typed into a form, kept in this browser until it is sent or two weeks are over. Whoever signs out takes theirs along. */
const PREFIX = 'clockwright.draft ';
const KEPT = 14 * 24 * 3_600_000;

interface Kept {
  at: number;
  value: unknown;
}

const keyOf = (account: string, form: string) => `${PREFIX}${account} ${form}`;

/** A draft, unless it is too old or cannot be read. `isDraft` says whether it has the shape of this form. */
export function draft<T>(store: Storage, account: string, form: string, now: number, isDraft: (value: unknown) => value is T): { at: number; value: T } | undefined {
  try {
    const kept = JSON.parse(store.getItem(keyOf(account, form)) ?? 'null') as Kept | null;
    return kept && now - kept.at < KEPT && isDraft(kept.value) ? { at: kept.at, value: kept.value } : undefined;
  } catch {
    return undefined;
  }
}

export function keep(store: Storage, account: string, form: string, value: unknown, now: number): void {
  try {
    if (value === undefined) store.removeItem(keyOf(account, form));
    else store.setItem(keyOf(account, form), JSON.stringify({ at: now, value } satisfies Kept));
  } catch {
    // A browser that keeps nothing: until the page is left.
  }
}

/** Forgets all of somebody. */
export function forgetDrafts(store: Storage, account: string): void {
  for (const key of Object.keys(store)) if (key.startsWith(keyOf(account, ''))) store.removeItem(key);
}
