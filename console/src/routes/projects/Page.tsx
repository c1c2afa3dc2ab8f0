/** The projects that one may see: where each has its registry, how many jobs, and what one may do there. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { can } from '../../api/can';
import { type Project, projects, session } from '../../api/queries';
import { useHeard } from '../../api/stream/follow';
import { usePrefs } from '../../look/prefs';
import { Glyph, type Sign } from '../../parts/Glyph';
import p from '../../parts/Page.module.css';
import { Empty, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { None } from '../../parts/Times';
import { count } from '../../words/format';
import { useSay } from '../../words/say';

const FOLLOWED: Readonly<Record<string, Sign>> = {
  following: { shape: 's-ok', tone: 'ok', word: 'registry.following' },
  loading: { shape: 'g-wait', tone: 'wait', word: 'registry.loading' },
  catchingUp: { shape: 'g-wait', tone: 'wait', word: 'registry.catchingUp' },
  away: { shape: 's-bad', tone: 'miss', word: 'registry.away' },
};

export function ProjectsPage() {
  const say = useSay();
  const list = useQuery(projects);
  const me = useQuery(session).data;
  return (
    <>
      <div className={p.head}>
        <h1>{say('projects.title')}</h1>
      </div>
      <div className={p.panel}>
        {!list.data ? (
          <Unseen query={list} what="place.projects" />
        ) : list.data.length === 0 ? (
          <Empty title={say('projects.none')}>
            {can(me, 'project.create') ? (
              <>
                <p className="mid">{say('projects.noneSay')}</p>
                <pre>
                  <code>{COMMAND}</code>
                </pre>
              </>
            ) : (
              <p className="mid">{say('projects.noneSeen')}</p>
            )}
          </Empty>
        ) : (
          <Table
            size="wide"
            of={[
              { word: 'projects.name' },
              { word: 'projects.jobs', width: 90, isNumber: true },
              { word: 'projects.registry', width: 200 },
              { word: 'projects.namespace', width: 190 },
              { word: 'projects.role', width: 140 },
              { word: 'projects.outside', width: 200 },
            ]}
          >
            {list.data.map((project) => (
              <Line key={project.id} project={project} />
            ))}
          </Table>
        )}
      </div>
    </>
  );
}

/** How a first project is made. */
const COMMAND = 'clockwright project create billing';

function Line({ project }: { project: Project }) {
  const say = useSay();
  const { language } = usePrefs();
  const { ages } = useHeard();
  const followed = FOLLOWED[ages[project.name]?.state ?? ''];
  const policy = project.policy.settings ?? 'repair';
  return (
    <tr>
      <td>
        <Link to="/jobs" search={{ q: `project:${project.name}` }}>
          <bdi className="b">{project.name}</bdi>
        </Link>
        {project.title && (
          <>
            {' '}
            <bdi className="dim">{project.title}</bdi>
          </>
        )}
      </td>
      <td className={t.num}>{count(project.jobs, language)}</td>
      <td>
        <Link to="/projects/$project/sync" params={{ project: project.name }} className={p.sign}>
          {followed ? <Glyph sign={followed} /> : <None />}
          <bdi>{project.registry}</bdi>
          {followed && <span className="dim">{say(followed.word)}</span>}
        </Link>
      </td>
      <td>
        <bdi className="mono">{project.namespace}</bdi>
      </td>
      <td>{say(`role.${project.role}`)}</td>
      <td>{say(`outside.${policy}`)}</td>
    </tr>
  );
}
