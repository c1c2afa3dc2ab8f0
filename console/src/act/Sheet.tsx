/** The sheet of whatever act is asked for. It stands once in the console. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { job, keys } from '../api/queries';
import { Field } from '../parts/Field';
import { useSay } from '../words/say';
import { ACTS, type Wish } from './acts';
import { type Asked, closeSheet, tell, useDesk } from './desk';
import { Extra, isComplete, usual } from './Extra';
import { Frame, Overlay } from './Frame';
import { PlanView } from './PlanView';
import { useTitle } from './title';

export function ActSheet() {
  const { asked } = useDesk();
  return (
    <Overlay isOpen={asked !== undefined} onClose={closeSheet} isDialog={asked !== undefined && ACTS[asked.act].weight === 'dialog'}>
      {asked && <Form key={JSON.stringify(asked)} asked={asked} />}
    </Overlay>
  );
}

function Form({ asked }: { asked: Asked }) {
  const { act, subject } = asked;
  const say = useSay();
  const client = useQueryClient();
  const definition = useQuery(job(subject)).data;
  const [extra, setExtra] = useState<Partial<Wish>>(() => usual(act));
  const [typed, setTyped] = useState('');
  const byFiles = definition?.managed === 'files';
  const isConfirmed = act !== 'remove' || (typed === subject.job && (!byFiles || extra.takeOver === true));
  const isOfHost = subject.host !== undefined;
  const wish = (reason: string): Wish => ({ ...extra, reason, dryRun: false });
  return (
    <Frame
      title={useTitle(asked)}
      lead={say(isOfHost && (act === 'drain' || act === 'disable') ? `act.${act}.host` : `act.${act}.say`)}
      isDialog={ACTS[act].weight === 'dialog'}
      needsReason={act === 'remove'}
      isReady={isConfirmed && isComplete(act, extra)}
      plan={<PlanView asked={asked} extra={extra} />}
      extra={
        <>
          <Extra act={act} byFiles={byFiles} value={extra} onChange={setExtra} />
          {act === 'remove' && (
            <Field label={say('act.typeName', { name: subject.job })} value={typed} onChange={setTyped} autoComplete="off" />
          )}
        </>
      }
      send={(reason, key) => ACTS[act].send(subject, wish(reason), key)}
      onWord={(word, reason, key) => {
        tell(asked, wish(reason), key, word);
        void client.invalidateQueries({ queryKey: keys.job(subject) });
        void client.invalidateQueries({ queryKey: keys.holds(subject.project) });
      }}
      onClose={closeSheet}
    />
  );
}
