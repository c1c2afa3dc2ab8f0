import type { JobName } from '../api/queries';

/** The project and the job that an address is about, if it is. */
export function namesOf(matches: readonly { params: object }[]): Partial<JobName> {
  return matches[matches.length - 1]?.params ?? {};
}
