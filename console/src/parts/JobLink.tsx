/** A job, named with its project, as the way to its page. */
import { Link } from '@tanstack/react-router';
import type { JobName } from '../api/queries';

export function JobLink({ project, job }: JobName) {
  return (
    <Link to="/jobs/$project/$job" params={{ project, job }}>
      <bdi className="dim">{project}</bdi>
      <span className="dim">/</span>
      <bdi>{job}</bdi>
    </Link>
  );
}
