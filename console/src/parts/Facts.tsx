import type { ReactNode } from 'react';
import type { MessageId } from '../words/ids';
import { useSay } from '../words/say';
import s from './Facts.module.css';

/** What is known of a thing, each by its word; what is not known is left out. */
export function Facts({ of }: { of: readonly (readonly [MessageId, ReactNode])[] }) {
  const say = useSay();
  return (
    <dl className={s.kv}>
      {of.map(
        ([word, value]) =>
          value !== undefined && value !== null && value !== '' && (
            <div key={word}>
              <dt>{say(word)}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
