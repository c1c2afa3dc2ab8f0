/** How the registry agrees with the job: what differs, who wrote it, and which of the two is right. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Differences } from '../../act/Differences';
import { can } from '../../api/can';
import { body, type Schemas, server } from '../../api/client';
import { type Definition, drift, type JobName, jobSync, keys, session } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Panel } from '../../parts/Panel';
import { ErrorBox, Unseen } from '../../parts/States';
import { Ago } from '../../parts/Times';
import { useSay } from '../../words/say';
import { DriftList } from '../projects/DriftList';
import s from './Job.module.css';

const PATH = '/api/v1/projects/{project}/jobs/{job}/sync';

export function Registry({ name, definition }: { name: JobName; definition: Definition }) {
  const say = useSay();
  const client = useQueryClient();
  const me = useQuery(session).data;
  const found = useQuery(jobSync(name));
  const past = useInfiniteQuery(drift(name.project, name.job));
  const done = async (word: Schemas['JobSync']) => {
    client.setQueryData(jobSync(name).queryKey, word);
    await Promise.all([keys.job(name), keys.sync(name.project)].map((queryKey) => client.invalidateQueries({ queryKey })));
  };
  const look = useMutation({ mutationFn: () => body(server.POST(PATH, { params: { path: name } })), onSuccess: done });
  const decide = useMutation({
    mutationFn: (take: Schemas['Side']) => body(server.POST(`${PATH}/resolve`, { params: { path: name }, body: { take } })),
    onSuccess: done,
  });
  const isBusy = look.isPending || decide.isPending;
  const records = past.data?.pages.flatMap((page) => page.items) ?? [];
  const differs = found.data !== undefined && (found.data.differences.length > 0 || !['written', 'pending'].includes(found.data.state));
  return (
    <Panel
      title={say('registry.title')}
      side={
        can(me, 'sync.run', name.project) && (
          <Button small busy={isBusy} onPress={() => !isBusy && look.mutate()}>
            {say(look.isPending ? 'act.sent' : 'registry.compare')}
          </Button>
        )
      }
    >
      {!found.data ? (
        <Unseen query={found} what="registry.title" rows={1} />
      ) : (
        <div className={s.registry}>
          <p>
            <b>{say(`sync.${found.data.state as 'written'}`)}</b>
            {found.data.syncedAt && (
              <span className="dim">
                {' · '}
                {say('registry.lastWritten')} <Ago at={found.data.syncedAt} />
              </span>
            )}
          </p>
          {found.data.why && <p lang="en">{found.data.why}</p>}
          {found.data.differences.length > 0 && <Differences all={found.data.differences} before={say('registry.database')} after={say('registry.has')} />}
          {differs && can(me, 'sync.adopt', name.project) && (
            <div className={s.decide}>
              <Button look="primary" busy={isBusy} onPress={() => !isBusy && decide.mutate('database')}>
                {say('registry.putBack')}
              </Button>
              {definition.managed !== 'files' && (
                <Button busy={isBusy} onPress={() => !isBusy && decide.mutate('registry')}>
                  {say('registry.keep', { version: definition.version + 1 })}
                </Button>
              )}
            </div>
          )}
          {(look.isError || decide.isError) && <ErrorBox error={look.error ?? decide.error} />}
          {records.length > 0 && (
            <details>
              <summary>{say('drift.past', { count: records.length })}</summary>
              <DriftList all={records} />
            </details>
          )}
        </div>
      )}
    </Panel>
  );
}
