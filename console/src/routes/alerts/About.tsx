import { Link } from '@tanstack/react-router';
import type { Alert } from '../../api/alerts';
import { None } from '../../parts/Times';
import { useSay } from '../../words/say';

/** What an alert is about: a job and its item, a project, a thing of the servers. */
export function About({ of: { project, job, item, thing } }: { of: Alert }) {
  const say = useSay();
  if (!project && !thing) return <None />;
  return (
    <>
      {project && job ? (
        <Link to="/jobs/$project/$job" params={{ project, job }}>
          <bdi className="dim">{project}</bdi>
          <span className="dim">/</span>
          <bdi>{job}</bdi>
        </Link>
      ) : (
        project && <bdi>{project}</bdi>
      )}
      {item != null && <span className="dim"> {say('ledger.itemOf', { item })}</span>}
      {thing && <bdi className="dim"> {thing}</bdi>}
    </>
  );
}
