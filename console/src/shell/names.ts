import type { JobName } from '../api/queries';

/** The project and the job that an address is about, if it is; and of which of its fires. */
export function namesOf(matches: readonly { params: object }[]): Partial<JobName & { fire: string }> {
  return matches[matches.length - 1]?.params ?? {};
}
