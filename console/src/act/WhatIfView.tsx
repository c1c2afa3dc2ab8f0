/** What would become of a job's items, as the planner says it: who would get which, what would be interrupted, how other strategies would do. */
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../api/client';
import { type JobName, whatIf } from '../api/queries';
import { usePrefs } from '../look/prefs';
import { Icon } from '../parts/Glyph';
import { ErrorBox, Pending } from '../parts/States';
import { numbers } from '../words/format';
import { Say, useSay } from '../words/say';
import m from './WhatIfView.module.css';

/** How many moves are listed. */
const MOVES = 12;

export function WhatIfView({ name, question }: { name: JobName; question: Schemas['WhatIfAsk'] }) {
  const say = useSay();
  const { language } = usePrefs();
  const found = useQuery(whatIf(name, question));
  if (!found.data) return found.isError ? <ErrorBox error={found.error} /> : <Pending what="whatif.title" rows={2} />;
  const { items, moved, moves, interrupted, waiting, compared, strategy } = found.data;
  return (
    <>
      <p>
        <Say id="whatif.moved" values={{ items }} parts={{ moved: <b>{moved}</b> }} />
      </p>
      {moves.length > 0 && (
        <ul className={m.moves}>
          {moves.slice(0, MOVES).map((move) => (
            <li key={move.item}>
              <b>{say('whatif.item', { item: move.item })}</b>
              <bdi className="el dim" title={move.from}>
                {move.from}
              </bdi>
              <Icon shape="i-arrow" />
              <bdi className="el" title={move.to ?? undefined}>
                {move.to ?? say('tile.nobody')}
              </bdi>
            </li>
          ))}
          {moved > MOVES && <li>{say('whatif.more', { count: moved - MOVES })}</li>}
        </ul>
      )}
      {interrupted.length > 0 && <p className={m.warn}>{say('whatif.interrupted', { count: interrupted.length, items: numbers(interrupted, language) })}</p>}
      {waiting.length > 0 && <p className={m.warn}>{say('whatif.waiting', { count: waiting.length, items: numbers(waiting, language) })}</p>}
      <table className={m.cmp}>
        <thead>
          <tr>
            <th>{say('whatif.strategy')}</th>
            <th className={m.num}>{say('whatif.wouldMove')}</th>
            <th className={m.num}>{say('whatif.most')}</th>
          </tr>
        </thead>
        <tbody>
          {compared.map((one) => (
            <tr key={one.strategy} data-on={one.strategy === strategy || undefined}>
              <td>{one.strategy}</td>
              <td className={m.num}>{one.moved}</td>
              <td className={m.num}>{one.most}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
