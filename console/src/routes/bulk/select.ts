/** What is done with many jobs, as it stands in the address: an action, and a search or names. Pure. */
import type { Schemas } from '../../api/client';

export type Action = Schemas['Action'];
export const ACTIONS = ['pause', 'resume', 'trigger', 'disable', 'enable', 'offline', 'online', 'rebalance'] as const satisfies readonly Action[];

export interface Search {
  action?: string | undefined;
  q?: string | undefined;
  jobs?: string | undefined;
}

export function actionOf({ action }: Search): Action | undefined {
  return ACTIONS.find((one) => one === action);
}

/** Names in a word: each part written so that nothing of it separates. */
export function namesIn(jobs: readonly Schemas['NamedJob'][]): string {
  return jobs.map(({ project, name }) => `${encodeURIComponent(project)}/${encodeURIComponent(name)}`).join(',');
}

/** The jobs that are meant; nothing when none are. A search may be empty: then all are. */
export function selectOf({ q, jobs }: Search): Schemas['Select'] | undefined {
  if (jobs) {
    const named = jobs.split(',').flatMap((word): Schemas['NamedJob'][] => {
      const [project, name] = word.split('/').map(decoded);
      return project && name ? [{ project, name }] : [];
    });
    return named.length ? { jobs: named } : undefined;
  }
  return q === undefined ? undefined : { q };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Refused before it was looked what would be done: they are not among those that may be operated. */
const BEFORE = ['not-allowed', 'not-found'];

/** How many it would be done with, of those that may be operated. */
export function wouldOf(count: number, codes: Readonly<Record<string, number>>): number {
  const refused = Object.entries(codes).filter(([code]) => !BEFORE.includes(code));
  return count - refused.reduce((sum, [, one]) => sum + one, 0);
}
