/** The states that every page has: not there yet, nothing there, refused. */
import type { UseInfiniteQueryResult, UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asProblem, type Problem } from '../api/problem';
import { CODES } from '../made/codes';
import type { MessageId } from '../words/ids';
import { type Say, useSay } from '../words/say';
import { Button } from './Button';
import { useCountdown } from './countdown';
import s from './States.module.css';

/** What a problem means, in the reader's language. */
export function meaning(problem: Problem, say: Say): string {
  const own = ['unreachable', 'defect'].includes(problem.code);
  const known = own || (CODES as readonly string[]).includes(problem.code);
  return say(known ? (`problem.${problem.code}` as MessageId) : 'problem.internal');
}

/** Something was refused, or failed: what, why, its code, and how to go on. */
export function ErrorBox({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const say = useSay();
  const problem = asProblem(error);
  const left = useCountdown(problem.retryAfter);
  return (
    <div className={s.box} role="alert">
      <p className={s.what}>{meaning(problem, say)}</p>
      {problem.detail && (
        <p className={s.more} lang="en">
          {problem.detail}
        </p>
      )}
      {problem.fix && (
        <p className={s.more} lang="en">
          {problem.fix}
        </p>
      )}
      <p className={s.fine}>
        <code>{problem.code}</code>
        {problem.request && <span>{say('problem.request', { id: problem.request })}</span>}
      </p>
      {onRetry && (
        <div className={s.acts}>
          <Button small onPress={onRetry} isDisabled={left > 0}>
            {left > 0 ? say('problem.retryIn', { seconds: left }) : say('problem.retry')}
          </Button>
        </div>
      )}
    </div>
  );
}

/** What is not there yet: the outline of it, still, once it has taken a moment; and a word when it takes long. */
export function Pending({ what, rows = 6 }: { what: MessageId; rows?: number | undefined }) {
  const say = useSay();
  return (
    <div aria-busy="true">
      <span className="sr" role="status">
        {say('loading', { what: say(what) })}
      </span>
      <div className={s.rows} aria-hidden="true">
        {Array.from({ length: rows }, (_, index) => (
          <i key={index} />
        ))}
      </div>
      <p className={s.long} aria-hidden="true">
        {say('loading.long', { what: say(what) })}
      </p>
    </div>
  );
}

/** Stands in the place of what was never seen: why it cannot be shown, or its outline. */
export function Unseen({ query, what, rows }: { query: Query; what: MessageId; rows?: number | undefined }) {
  if (query.isError) return <ErrorBox error={query.error} onRetry={() => void query.refetch()} />;
  return <Pending what={what} rows={rows} />;
}

type Query = Pick<UseQueryResult, 'isError' | 'error' | 'refetch'>;

/** Asks for the next page of a list, while there is one. */
export function More({ list }: { list: Pages }) {
  const say = useSay();
  if (!list.hasNextPage) return null;
  return (
    <div className={s.next}>
      <Button small onPress={() => void list.fetchNextPage()} busy={list.isFetchingNextPage}>
        {say('more')}
      </Button>
    </div>
  );
}

type Pages = Pick<UseInfiniteQueryResult, 'hasNextPage' | 'fetchNextPage' | 'isFetchingNextPage'>;

/** Nothing is there: what would be, and how it comes to be. */
export function Empty({ title, children }: { title: ReactNode; children?: ReactNode }) {
  return (
    <div className={s.empty}>
      <div className={s.what}>{title}</div>
      {children}
    </div>
  );
}
