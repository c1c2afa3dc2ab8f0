/** What is told of a run wherever it stands: its outcome, why it was started, the reason in words, and the way to its fire. */
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Run } from '../api/queries';
import { usePrefs } from '../look/prefs';
import type { MessageId } from '../words/ids';
import { reason } from '../words/reason';
import { useSay } from '../words/say';
import { OUTCOMES } from './Glyph';
import { Signed } from './Signed';

/** An outcome by the server's word: its shape and its word. */
export function Outcome({ of }: { of: string }) {
  const sign = OUTCOMES[of];
  return <Signed sign={sign} word={of} />;
}

const SOURCES: Readonly<Record<string, MessageId>> = {
  schedule: 'source.schedule',
  misfire: 'source.misfire',
  failover: 'source.failover',
  trigger: 'source.trigger',
  retry: 'source.retry',
  NORMAL_TRIGGER: 'source.schedule',
  MISFIRE: 'source.misfire',
  FAILOVER: 'source.failover',
};

/** Why a run was started, in a word. */
export function Source({ of }: { of: string }) {
  const say = useSay();
  const word = SOURCES[of];
  return word ? say(word) : of;
}

/** Why a fire ended as it did, in the reader's language; empty for a success. */
export function useReason(): (run: Run) => string {
  const { language } = usePrefs();
  return (run) => reason(run.code, run.params, run.reason, language);
}

/** How long the deciding run took, if one ran. */
export function took(run: Run): number | undefined {
  return run.startedAt ? Date.parse(run.decidedAt) - Date.parse(run.startedAt) : undefined;
}

/** How long after its instant it began, if it did. */
export function late(run: Run): number | undefined {
  return run.startedAt ? Math.max(0, Date.parse(run.startedAt) - Date.parse(run.fireAt)) : undefined;
}

/** A fire as its id is written: the instant, milliseconds, and of a trigger by hand its id. */
export function fireOf(id: string): { fire: string; trigger?: string } {
  const [fire = '', trigger] = id.split(/\/(.*)/s);
  return trigger ? { fire, trigger } : { fire };
}

interface ToFire {
  project: string | null | undefined;
  job: string;
  /** The fire's id. */
  id: string;
  /** The item that is looked at there. */
  item?: number;
  children: ReactNode;
}

/** Leads to a fire; text where the project is not on record. */
export function FireLink({ project, job, id, item, children }: ToFire) {
  if (!project) return children;
  const { fire, trigger } = fireOf(id);
  return (
    <Link
      className="link"
      to="/fires/$project/$job/$fire"
      params={{ project, job, fire }}
      search={{ ...(trigger ? { trigger } : {}), ...(item === undefined ? {} : { item: String(item) }) }}
    >
      {children}
    </Link>
  );
}
