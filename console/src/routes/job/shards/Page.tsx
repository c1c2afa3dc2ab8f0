/** Who has which item, how each stands, and what would move if somebody left or came. Which of it is looked at stands in the address. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { ask } from '../../../act/desk';
import { allowed } from '../../../act/offers';
import { useKnown } from '../../../act/use';
import { job, live, runs, session, whatIf } from '../../../api/queries';
import { Button } from '../../../parts/Button';
import { useSmall } from '../../../parts/media';
import { Panel } from '../../../parts/Panel';
import { Segmented } from '../../../parts/Segmented';
import { Empty, Unseen } from '../../../parts/States';
import { useSay } from '../../../words/say';
import s from '../Job.module.css';
import { useJobName } from '../Layout';
import { settingOf } from '../settings';
import { type By, columns, newest, parameters, rows } from './matrix';
import { Matrix } from './Matrix';
import { asked, supposed } from './whatif';
import { WhatIf } from './WhatIf';
import m from './Shards.module.css';

/** Above so many columns items are a list that names each one's owner. */
const MOST_COLUMNS = 10;
/** How many runs are read to tell how items ended lately, and how many of each are shown. */
const RUNS = 200;
const LAST = 10;

export function JobShards() {
  const say = useSay();
  const name = useJobName();
  const navigate = useNavigate({ from: '/jobs/$project/$job/shards' });
  const search = useSearch({ from: '/shell/jobs/$project/$job/shards' });
  const isSmall = useSmall();
  const definition = useQuery(job(name)).data;
  const found = useQuery(live(name));
  const ended = useQuery(runs(name, RUNS)).data;
  const known = useKnown(name);
  const me = useQuery(session).data;
  const wish = supposed(search.whatif);
  const question = wish && asked(wish);
  const then = useQuery({ ...whatIf(name, question ?? {}), enabled: question !== undefined }).data;
  if (!found.data) return <Unseen query={found} what="tab.shards" />;
  const by: By = search.by === 'host' ? 'host' : 'instance';
  const coming = question && then ? then.shares.map((share) => share.instance).filter((id) => id.startsWith('new-')) : [];
  const all = columns(found.data, by, coming);
  const items = rows(found.data, by, parameters(definition && settingOf(definition, 'shardingItemParameters')));
  const canRebalance = known?.state === 'online' && allowed(['rebalance'], me, name.project).length > 0;
  return (
    <div className={m.cols}>
      <Panel
        title={say('shards.title')}
        side={
          <>
            {found.data.plan != null && <span className="hide-m">{say('shards.plan', { plan: found.data.plan })}</span>}
            <span className="hide-m">
              <Segmented
                label={say('shards.by')}
                value={by}
                of={[
                  { id: 'instance', text: say('shards.byInstance') },
                  { id: 'host', text: say('shards.byHost') },
                ]}
                onChange={(value) => void navigate({ search: (old) => ({ ...old, by: value === 'host' ? value : undefined }) })}
              />
            </span>
            {canRebalance && (
              <Button small onPress={() => ask('rebalance', name)}>
                {`${say('act.rebalance')}…`}
              </Button>
            )}
          </>
        }
      >
        {items.length === 0 ? (
          <Empty title={say('shards.none')}>
            <p className="mid">{say('shards.noneSay')}</p>
          </Empty>
        ) : (
          <Matrix
            name={name}
            columns={all}
            rows={items}
            asList={isSmall || all.length > MOST_COLUMNS}
            known={known}
            ended={newest(ended?.items ?? [], LAST)}
            then={question ? then : undefined}
            leaving={question?.leave ?? []}
            onSuppose={(id) => void navigate({ search: (old) => ({ ...old, whatif: `leave:${id}` }), replace: true })}
          />
        )}
      </Panel>
      <div className={s.stack}>
        <WhatIf name={name} job={found.data} wish={wish} known={known} onChange={(whatif) => void navigate({ search: (old) => ({ ...old, whatif }), replace: true })} />
      </div>
    </div>
  );
}
