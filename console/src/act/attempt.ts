/**
 * An act on its way: from the form to the server's word. Pure.
 *
 * ```text
 * ready ──send──▶ sent ──word──▶ over
 *   ▲              │ ├──no──▶ refused ──send, with a new key──▶ sent
 *   └── open ──    │ └──lost─▶ lost ────send, with the same key─▶ sent
 * ```
 *
 * One key stands for one wish: what was sent twice, by a double click or since its answer was lost, is done once. After a refusal the wish is
 * another one, for whoever tries again has changed something, here or elsewhere.
 */
import type { Problem } from '../api/problem';

export type Attempt<T> =
  | { at: 'ready'; key: string }
  | { at: 'sent'; key: string }
  | { at: 'refused'; key: string; problem: Problem }
  | { at: 'lost'; key: string; problem: Problem }
  | { at: 'over'; key: string; word: T };

/** The form opens; nothing was sent. */
export function opened(key: string): Attempt<never> {
  return { at: 'ready', key };
}

/** It is sent, unless it is on its way already or over: then nothing is. */
export function sending<T>(attempt: Attempt<T>): { next: Attempt<T>; key: string } | undefined {
  if (attempt.at === 'sent' || attempt.at === 'over') return undefined;
  return { next: { at: 'sent', key: attempt.key }, key: attempt.key };
}

/** The server's word came. */
export function answered<T>(attempt: Attempt<T>, word: T): Attempt<T> {
  return { at: 'over', key: attempt.key, word };
}

/** It was refused, or nobody knows: then the same is asked again by the same key, and what is in the form stays as it was sent. */
export function failed<T>(attempt: Attempt<T>, problem: Problem, newKey: string): Attempt<T> {
  return isLost(problem) ? { at: 'lost', key: attempt.key, problem } : { at: 'refused', key: newKey, problem };
}

/** Whether it may have been done all the same. */
export function isLost(problem: Problem): boolean {
  return problem.status === 0 || problem.status >= 500 || problem.code === 'request-in-progress';
}
