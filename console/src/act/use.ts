import { useQuery } from '@tanstack/react-query';
import { holds, job, type JobName, session } from '../api/queries';
import { allowed, type Known, offersOf } from './offers';
import type { ActName } from './acts';

/** What is known of a job that says what can be done with it; `undefined` while it is not there. */
export function useKnown(name: JobName): Known | undefined {
  // The palette asks on pages that are about no job too.
  const enabled = name.job !== '';
  const found = useQuery({ ...job(name), enabled });
  const all = useQuery({ ...holds(name.project), enabled });
  if (!found.data || !all.data) return undefined;
  return { state: found.data.state, holds: all.data.filter((hold) => (hold.job ?? name.job) === name.job) };
}

/** What whoever is signed in can do with a job now, the likeliest first. */
export function useOffers(name: JobName): ActName[] {
  const known = useKnown(name);
  const me = useQuery(session).data;
  return known ? allowed(offersOf(known), me, name.project) : [];
}
