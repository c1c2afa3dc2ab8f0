/** What is still to be done until a first job runs. Pure. */
import type { Overview } from '../../api/history';

export type Step = 'project' | 'job' | 'instance' | 'outcome';

/** The steps in their order, with what is done; nothing once there was an outcome, or an instance is there and all goes its way. */
export function steps(now: Pick<Overview, 'projects' | 'jobs' | 'statuses' | 'balance'>): { step: Step; done: boolean }[] {
  const { balance } = now;
  const ended = balance ? balance.due - balance.running - balance.unaccounted : 0;
  const seen = Object.entries(now.statuses).reduce((sum, [status, jobs]) => (status === 'CRASHED' ? sum : sum + jobs), 0);
  const all = [
    { step: 'project', done: now.projects > 0 },
    { step: 'job', done: now.jobs > 0 },
    { step: 'instance', done: seen > 0 },
    { step: 'outcome', done: ended > 0 },
  ] as const;
  // Without a store that answers nobody knows of outcomes; whoever has instances is past the beginning.
  return ended > 0 || (seen > 0 && !balance) ? [] : [...all];
}
