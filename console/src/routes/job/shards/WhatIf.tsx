/** What would move if an instance left or came, if there were another number of items, or by another strategy. Nothing is changed. */
import { useQuery } from '@tanstack/react-query';
import { ask } from '../../../act/desk';
import { allowed, type Known, offersOfHost } from '../../../act/offers';
import { WhatIfView } from '../../../act/WhatIfView';
import { type JobName, session } from '../../../api/queries';
import { Button } from '../../../parts/Button';
import { Icon } from '../../../parts/Glyph';
import { Panel } from '../../../parts/Panel';
import { Segmented } from '../../../parts/Segmented';
import { useSay } from '../../../words/say';
import { ipOf, type LiveJob } from './matrix';
import m from './Shards.module.css';
import { asked, KINDS, STRATEGIES, type Supposed, written } from './whatif';

interface Props {
  name: JobName;
  job: LiveJob;
  wish: Supposed | undefined;
  known: Known | undefined;
  onChange: (whatif: string) => void;
}

export function WhatIf({ name, job, wish, known, onChange }: Props) {
  const say = useSay();
  const me = useQuery(session).data;
  const kind = wish?.kind ?? 'leave';
  /** What each kind begins with. */
  const first: Record<Supposed['kind'], string | undefined> = {
    leave: job.instances[0]?.id,
    join: '1',
    count: String(job.items.length + 1),
    strategy: STRATEGIES[3],
  };
  const pick = (value: string) => onChange(written({ kind, value }));
  const question = wish && asked(wish);
  const ip = wish?.kind === 'leave' ? ipOf(wish.value) : undefined;
  const canDrain = ip && known && allowed(offersOfHost(ip, known, true), me, name.project).includes('drain');
  return (
    <Panel title={say('whatif.title')} side={<span className="dim">{say('whatif.nothing')}</span>}>
      <div className={m.whatif}>
        <Segmented
          label={say('whatif.title')}
          value={wish && kind}
          of={KINDS.map((one) => ({ id: one, text: say(`whatif.${one}`), isDisabled: first[one] === undefined }))}
          onChange={(picked) => {
            const begin = first[picked];
            if (begin) onChange(written({ kind: picked, value: begin }));
          }}
        />
        {!wish && <p className="mid">{say('whatif.choose')}</p>}
        {wish && (
          <label>
            {say(`whatif.${kind}Label`)}
            {kind === 'leave' || kind === 'strategy' ? (
              <select value={wish.value} onChange={(event) => pick(event.target.value)}>
                {[...new Set([...(kind === 'leave' ? job.instances.map((instance) => instance.id) : STRATEGIES), wish.value])].map((value) => (
                  <option key={value}>{value}</option>
                ))}
              </select>
            ) : (
              <input type="number" min={1} inputMode="numeric" value={wish.value} onChange={(event) => event.target.value && pick(event.target.value)} />
            )}
          </label>
        )}
        {question && <WhatIfView name={name} question={question} />}
        {canDrain && (
          <Button onPress={() => ask('drain', { ...name, host: ip })}>
            <Icon shape="i-drain" />
            {`${say('act.drain')}…`}
          </Button>
        )}
      </div>
    </Panel>
  );
}
