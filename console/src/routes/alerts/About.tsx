import type { Alert } from '../../api/alerts';
import { JobLink } from '../../parts/JobLink';
import { None } from '../../parts/Times';
import { useSay } from '../../words/say';

/** What an alert is about: a job and its item, a project, a thing of the servers. */
export function About({ of: { project, job, item, thing } }: { of: Alert }) {
  const say = useSay();
  if (!project && !thing) return <None />;
  return (
    <>
      {project && job ? (
        <JobLink project={project} job={job} />
      ) : (
        project && <bdi>{project}</bdi>
      )}
      {item != null && <span className="dim"> {say('ledger.itemOf', { item })}</span>}
      {thing && <bdi className="dim"> {thing}</bdi>}
    </>
  );
}
