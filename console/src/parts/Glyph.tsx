import type { MessageId } from '../words/ids';
import { useSay } from '../words/say';
import type { Shape } from './Sprite';

/** A kind of thing that has a shape, a colour and a word. The colour alone never says anything. */
export interface Sign {
  shape: Shape;
  tone: 'ok' | 'fail' | 'miss' | 'skip' | 'coal' | 'canc' | 'un' | 'run' | 'wait';
  word: MessageId;
}

/** Outcomes, by the server's words. */
export const OUTCOMES: Readonly<Record<string, Sign>> = {
  succeeded: { shape: 'g-ok', tone: 'ok', word: 'outcome.succeeded' },
  failed: { shape: 'g-fail', tone: 'fail', word: 'outcome.failed' },
  missed: { shape: 'g-miss', tone: 'miss', word: 'outcome.missed' },
  skipped: { shape: 'g-skip', tone: 'skip', word: 'outcome.skipped' },
  coalesced: { shape: 'g-coal', tone: 'coal', word: 'outcome.coalesced' },
  cancelled: { shape: 'g-canc', tone: 'canc', word: 'outcome.cancelled' },
};

/** The same from worst to well. */
export const WORST_FIRST: readonly string[] = ['failed', 'missed', 'cancelled', 'skipped', 'coalesced', 'succeeded'];

/** An item that runs, or came due a moment ago. */
export const RUNNING: Sign = { shape: 'g-run', tone: 'run', word: 'outcome.running' };
/** Instants that nothing accounts for. */
export const UNACCOUNTED: Sign = { shape: 'g-un', tone: 'un', word: 'outcome.unaccounted' };

/** The states of a job, by the server's words. */
export const STATUSES: Readonly<Record<string, Sign>> = {
  OK: { shape: 's-ok', tone: 'ok', word: 'status.ok' },
  RUNNING: { shape: 's-run', tone: 'run', word: 'status.running' },
  PAUSED: { shape: 's-paused', tone: 'skip', word: 'status.paused' },
  DISABLED: { shape: 's-off', tone: 'skip', word: 'status.disabled' },
  CRASHED: { shape: 's-none', tone: 'miss', word: 'status.crashed' },
  SHARDING_FLAG: { shape: 's-reshard', tone: 'coal', word: 'status.resharding' },
  DEGRADED: { shape: 's-bad', tone: 'fail', word: 'status.degraded' },
};

/** What nobody has seen: the registry has it not, or is away. */
export const UNSEEN: Sign = { shape: 'g-wait', tone: 'wait', word: 'status.unseen' };

/** The sign of a job, which runs when one of its items does. */
export function signOf(job: { status?: string | null; running: boolean }): Sign {
  if (job.status === 'OK' && job.running) return STATUSES['RUNNING'] ?? UNSEEN;
  return STATUSES[job.status ?? ''] ?? UNSEEN;
}

/** A shape; with its word for those who do not see it, unless the word stands beside it. */
export function Glyph({ sign, alone = false }: { sign: Sign; alone?: boolean }) {
  const say = useSay();
  const named = alone ? { role: 'img', 'aria-label': say(sign.word) } : { 'aria-hidden': true };
  return (
    <svg className={`g ${sign.tone}`} viewBox="0 0 12 12" {...named}>
      <use href={`#${sign.shape}`} />
    </svg>
  );
}

/** A picture beside words. */
export function Icon({ shape }: { shape: Shape }) {
  return (
    <svg className="i" viewBox="0 0 16 16" aria-hidden="true">
      <use href={`#${shape}`} />
    </svg>
  );
}
