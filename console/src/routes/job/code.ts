import { useQuery } from '@tanstack/react-query';
import { can } from '../../api/can';
import { projects, session } from '../../api/queries';

/** Whether somebody may say what a job of a project runs: its administrators, and its developers where the project lets them. */
export function useMayCode(project: string): boolean {
  const me = useQuery(session).data;
  const all = useQuery(projects).data;
  return can(me, 'job.code', project) || (can(me, 'job.write', project) && all?.find((one) => one.name === project)?.codeEdit === true);
}
