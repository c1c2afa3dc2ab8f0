/** What an act would do, as the server says it: its dry run, under a key by which what happens to the job asks it anew. */
import { queryOptions } from '@tanstack/react-query';
import { onceKey } from '../api/client';
import { keys } from '../api/queries';
import { type ActName, ACTS, type Operation, type Subject, type Wish } from './acts';

export function plan(act: ActName, subject: Subject, extra: Partial<Wish>) {
  return queryOptions({
    queryKey: [...keys.job(subject), 'live', 'plan', act, subject, extra],
    queryFn: () => ACTS[act].send(subject, { ...extra, reason: '', dryRun: true }, onceKey()),
    gcTime: 0,
    retry: false,
  });
}

/** What is told of an operation: how it stands. */
export type Standing = 'done' | 'goesOn' | 'waits' | 'partly' | 'failed' | 'stopped';

const STANDINGS: Readonly<Record<string, Standing>> = {
  done: 'done',
  running: 'goesOn',
  pending: 'waits',
  partial: 'partly',
  failed: 'failed',
  cancelled: 'stopped',
};

export function standing(operation: Operation): Standing {
  return STANDINGS[operation.state] ?? 'goesOn';
}

/** Whether its end is still to come. */
export const goesOn = (operation: Operation) => ['goesOn', 'waits'].includes(standing(operation));
