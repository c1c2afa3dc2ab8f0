/** What became of acts: sent, then the server's word, with the way back where there is one. It stays for as long as it is looked at or needs somebody. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { body, server } from '../api/client';
import { Problem } from '../api/problem';
import { keys, operation } from '../api/queries';
import { usePrefs } from '../look/prefs';
import { Button } from '../parts/Button';
import { Icon } from '../parts/Glyph';
import { meaning } from '../parts/States';
import { numbers } from '../words/format';
import { type Say, useSay } from '../words/say';
import { ACTS, type Operation, undoOf } from './acts';
import { isLost } from './attempt';
import { doNow, forget, sendAgain, type Told, useDesk } from './desk';
import { goesOn, standing } from './plan';
import { nameOf, useTitle } from './title';
import s from './Told.module.css';

/** How long a good word stays, milliseconds. */
const STAYS = 10_000;

export function ToldRegion() {
  const say = useSay();
  const { told } = useDesk();
  return (
    <section className={s.region} aria-label={say('act.messages')} aria-live="polite">
      {told.map((one) => (
        <Line key={one.id} told={one} />
      ))}
    </section>
  );
}

function Line({ told }: { told: Told }) {
  const say = useSay();
  const { language } = usePrefs();
  const client = useQueryClient();
  const title = useTitle(told);
  const [isHeld, setHeld] = useState(false);
  const { act, subject, problem } = told;
  const followed = useQuery({ ...operation(subject, told.word?.id ?? ''), enabled: told.word !== undefined && goesOn(told.word) });
  const word = followed.data ?? told.word;
  const refused = problem ?? (word?.result.problem ? new Problem(word.result.problem) : undefined);
  const isOver = word !== undefined && !goesOn(word);
  const isGood = isOver && standing(word) === 'done' && !refused;

  useEffect(() => {
    if (!isOver) return;
    void client.invalidateQueries({ queryKey: keys.job(subject) });
    void client.invalidateQueries({ queryKey: keys.holds(subject.project) });
  }, [isOver, client, subject]);
  useEffect(() => {
    if (!isGood || isHeld) return;
    const timer = setTimeout(() => forget(told.id), STAYS);
    return () => clearTimeout(timer);
  }, [isGood, isHeld, told.id]);

  const undo = isGood && word.result.news === true ? undoOf(act, subject) : undefined;
  const takeBack = () => {
    if (!undo) return;
    forget(told.id);
    void doNow({ act: undo, subject }, say('act.undoReason', { what: title }));
  };
  const stop = async () => {
    if (!word) return;
    await body(server.POST('/api/v1/operations/{id}/cancel', { params: { path: { id: word.id } } })).catch(() => undefined);
    void client.invalidateQueries({ queryKey: keys.job(subject) });
  };
  return (
    <div
      className={s.told}
      role="group"
      aria-label={title}
      data-bad={refused ? '' : undefined}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <div className={s.text}>
        {refused ? (
          <>
            <b>{say('act.not', { what: title })}</b>
            <small>{meaning(refused, say)}</small>
            {refused.detail && <small lang="en">{refused.detail}</small>}
            {refused.fix && <small lang="en">{refused.fix}</small>}
          </>
        ) : word ? (
          <>
            <b>{isGood ? say('act.over', { done: say(`act.${act}.done`), what: nameOf(subject, say) }) : title}</b>
            <small>{detail(told, word, say, (items) => numbers(items, language))}</small>
          </>
        ) : (
          <b>{say('act.told.sent', { what: title })}</b>
        )}
      </div>
      {undo && (
        <Button small onPress={takeBack}>
          {say('act.undo')}
        </Button>
      )}
      {act === 'drain' && word && standing(word) === 'goesOn' && (
        <Button small onPress={() => void stop()}>
          {say('act.stopWaiting')}
        </Button>
      )}
      {problem && isLost(problem) && (
        <Button small onPress={() => void sendAgain(told)}>
          {say('act.askAgain')}
        </Button>
      )}
      {(isOver || problem) && (
        <Button small look="quiet" icon aria-label={say('act.dismiss')} onPress={() => forget(told.id)}>
          <Icon shape="i-x" />
        </Button>
      )}
    </div>
  );
}

/** How it stands, in words. */
function detail({ act }: Told, word: Operation, say: Say, list: (items: readonly number[]) => string): string {
  const { instances, running = [], version } = word.result;
  switch (standing(word)) {
    case 'goesOn':
      return say('act.goesOn');
    case 'waits':
      return say('act.waits');
    case 'partly':
      return say('act.partly', { items: list(running) });
    case 'stopped':
      return say('act.stopped', { items: list(running) });
    case 'failed':
      return '';
    case 'done':
      if (instances) return say('act.asked', { count: instances.length });
      if (version) return say('act.asVersion', { version });
      // Of a wish that stood already nothing is new.
      return ACTS[act].undo && !word.result.news ? say('act.wasSo') : '';
  }
}
