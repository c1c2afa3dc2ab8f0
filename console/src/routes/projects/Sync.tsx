/** How the registry agrees with a project: which jobs are not as they should be, what others wrote, and jobs that are managed by nobody. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { can } from '../../api/can';
import { body, server } from '../../api/client';
import { drift, keys, projectSync, session, unmanaged } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Check } from '../../parts/Check';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { Empty, ErrorBox, More, Unseen } from '../../parts/States';
import t from '../../parts/Table.module.css';
import { None } from '../../parts/Times';
import type { MessageId } from '../../words/ids';
import { useSay } from '../../words/say';
import { DriftList } from './DriftList';
import s from './Sync.module.css';

const PATH = '/api/v1/projects/{project}/sync';

export function ProjectSyncPage() {
  const say = useSay();
  const { project } = useParams({ from: '/shell/projects/$project/sync' });
  return (
    <>
      <div className={p.head}>
        <h1>
          <bdi className="dim">{project}</bdi> <span className="dim">/</span> {say('registry.title')}
        </h1>
      </div>
      <div className={s.stack}>
        <State project={project} />
        <Unmanaged project={project} />
        <Past project={project} />
      </div>
    </>
  );
}

const STATES = ['written', 'pending', 'held', 'conflict', 'reported', 'denied', 'contended'];

function State({ project }: { project: string }) {
  const say = useSay();
  const client = useQueryClient();
  const me = useQuery(session).data;
  const found = useQuery(projectSync(project));
  const done = () => Promise.all([['job', project], keys.sync(project), keys.jobs].map((queryKey) => client.invalidateQueries({ queryKey })));
  const look = useMutation({ mutationFn: () => body(server.POST(PATH, { params: { path: { project } } })), onSuccess: done });
  const confirm = useMutation({ mutationFn: () => body(server.POST(`${PATH}/confirm`, { params: { path: { project } } })), onSuccess: done });
  const isBusy = look.isPending || confirm.isPending;
  const word = (state: string) => (STATES.includes(state) ? say(`sync.${state}` as MessageId) : state);
  const mended = look.data?.mended ?? confirm.data?.mended ?? [];
  return (
    <Panel
      title={say('registry.agree')}
      side={
        can(me, 'sync.run', project) && (
          <Button small busy={isBusy} onPress={() => !isBusy && look.mutate()}>
            {say(look.isPending ? 'act.sent' : 'registry.repairAll')}
          </Button>
        )
      }
    >
      {!found.data ? (
        <Unseen query={found} what="registry.agree" rows={2} />
      ) : (
        <>
          <p className={s.line}>
            {Object.entries(found.data.counts).map(([state, count]) => (
              <span key={state}>
                <b>{count}</b> {word(state)}
              </span>
            ))}
          </p>
          {found.data.held && (
            <div className={s.held} role="alert">
              <p>{say('registry.held')}</p>
              {can(me, 'project.write', project) && (
                <Button small busy={isBusy} onPress={() => !isBusy && confirm.mutate()}>
                  {say('registry.confirm')}
                </Button>
              )}
            </div>
          )}
          {mended.length > 0 && <p className={s.line}>{say('registry.mended', { count: mended.length })}</p>}
          {(look.isError || confirm.isError) && <ErrorBox error={look.error ?? confirm.error} />}
          {found.data.jobs.length > 0 && (
            <table className={t.tbl}>
              <tbody>
                {found.data.jobs.map((job) => (
                  <tr key={job.name}>
                    <td>
                      <Link to="/jobs/$project/$job/settings" params={{ project, job: job.name }} className="link">
                        <bdi>{job.name}</bdi>
                      </Link>
                    </td>
                    <td>{word(job.state)}</td>
                    <td className={t.wrap}>{job.why ? <span lang="en">{job.why}</span> : <None />}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </>
      )}
    </Panel>
  );
}

function Unmanaged({ project }: { project: string }) {
  const say = useSay();
  const client = useQueryClient();
  const me = useQuery(session).data;
  const found = useQuery(unmanaged(project));
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const names = found.data?.filter((job) => picked.has(job.name)).map((job) => job.name) ?? [];
  const adopt = useMutation({
    mutationFn: () => body(server.POST('/api/v1/projects/{project}/unmanaged/adopt', { params: { path: { project } }, body: { jobs: names } })),
    onSuccess: () => Promise.all([keys.sync(project), keys.jobs, keys.projects].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
  if (found.data?.length === 0 && !adopt.data) return null;
  const mayAdopt = can(me, 'sync.adopt', project);
  const pick = (name: string, isOn: boolean) => {
    const next = new Set(picked);
    if (isOn) next.add(name);
    else next.delete(name);
    setPicked(next);
  };
  return (
    <Panel
      title={say('unmanaged.title')}
      side={
        mayAdopt && (
          <Button small busy={adopt.isPending} isDisabled={names.length === 0} onPress={() => !adopt.isPending && adopt.mutate()}>
            {say('unmanaged.adopt', { count: names.length })}
          </Button>
        )
      }
    >
      {!found.data ? (
        <Unseen query={found} what="unmanaged.title" rows={1} />
      ) : (
        <table className={t.tbl}>
          <tbody>
            {found.data.map((job) => (
              <tr key={job.name}>
                <td>{mayAdopt ? <Check label={job.name} isOn={picked.has(job.name)} onChange={(isOn) => pick(job.name, isOn)} /> : <bdi>{job.name}</bdi>}</td>
                <td>{say('unmanaged.served', { count: job.instances.length })}</td>
                <td className={t.wrap}>{job.why ? <span lang="en">{job.why}</span> : <None />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {adopt.data?.refused.map((one) => (
        <p key={one.name} className={s.line}>
          <bdi>{one.name}</bdi> <span lang="en">{one.why ?? one.state}</span>
        </p>
      ))}
      {adopt.isError && <ErrorBox error={adopt.error} />}
    </Panel>
  );
}

function Past({ project }: { project: string }) {
  const say = useSay();
  const list = useInfiniteQuery(drift(project));
  if (!list.data) return <Unseen query={list} what="drift.title" rows={2} />;
  const all = list.data.pages.flatMap((page) => page.items);
  return (
    <Panel title={say('drift.title')}>
      {all.length === 0 ? <Empty title={say('drift.none')} /> : <DriftList all={all} project={project} />}
      <More list={list} />
    </Panel>
  );
}
