/** The balance of a span: what was due is what ended, what runs, and what nothing accounts for. Pure. */
import type { Schemas } from '../api/client';

export type Balance = Schemas['Balance'];

/** The terms of which `due` is the sum, as they are shown. */
export const TERMS = ['succeeded', 'failed', 'missed', 'skipped', 'coalesced', 'cancelled', 'running', 'unaccounted'] as const;
export type Term = (typeof TERMS)[number];

/** How many instants no term accounts for; those that are due and in no term at all are among them. */
export function unaccounted(of: Balance): number {
  const told = TERMS.reduce((sum, term) => sum + of[term], 0);
  return of.unaccounted + Math.max(0, of.due - told);
}

/** The balance of spans that lie side by side. */
export function added(all: readonly Balance[]): Balance {
  const nothing = { due: 0, succeeded: 0, failed: 0, missed: 0, skipped: 0, coalesced: 0, cancelled: 0, running: 0, unaccounted: 0 };
  return all.reduce<Balance>((sum, one) => {
    const next = { ...sum, due: sum.due + one.due };
    for (const term of TERMS) next[term] += one[term];
    return next;
  }, nothing);
}
