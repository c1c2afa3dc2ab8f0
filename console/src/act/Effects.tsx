/** What other settings of a job would change: what differs, what moves, when it fires then, and why they cannot be used. */
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../api/client';
import { type JobName, preview, type Settings } from '../api/queries';
import { usePrefs } from '../look/prefs';
import { ErrorBox, Pending } from '../parts/States';
import { Instant } from '../parts/Times';
import { numbers } from '../words/format';
import { useSay } from '../words/say';
import { Differences } from './Differences';
import s from './Sheet.module.css';

/** How many instants are compared. */
const FIRES = 5;

interface Props {
  name: JobName;
  settings: Settings;
  /** The job's version now. */
  version: number;
}

export function Effects({ name, settings, version }: Props) {
  const say = useSay();
  const found = useQuery({ ...preview(name, settings), placeholderData: (before) => before });
  if (!found.data) {
    return <div className={s.plan}>{found.isError ? <ErrorBox error={found.error} /> : <Pending what="act.plan" rows={2} />}</div>;
  }
  const { problems = [], diff = [], warnings = [], effects } = found.data;
  return (
    <section className={s.plan} aria-label={say('act.plan')}>
      <Faults all={problems} />
      {problems.length === 0 && diff.length === 0 && <p>{say('effects.nothing')}</p>}
      {diff.length > 0 && <Differences all={diff} before={say('versions.before', { version })} after={say('versions.after', { version: version + 1 })} />}
      {effects && <Facts effects={effects} zone={typeof settings['timeZone'] === 'string' ? settings['timeZone'] : undefined} />}
      {warnings.map((warning) => (
        <p key={warning} className={s.warn} lang="en">
          {warning}
        </p>
      ))}
    </section>
  );
}

/** Why settings cannot be used, each at its key. */
export function Faults({ all }: { all: readonly Schemas['Detail'][] }) {
  return all.map(({ pointer, message }) => (
    <p key={`${pointer} ${message}`} className={s.bad}>
      <code>{keyOf(pointer)}</code> <span lang="en">{message}</span>
    </p>
  ));
}

/** The key that a pointer names: `/settings/retry/maxAttempts` is `retry.maxAttempts`. */
export function keyOf(pointer: string): string {
  return pointer
    .replace(/^\/settings\/?/, '')
    .replace(/^\//, '')
    .replaceAll('/', '.')
    .replaceAll('~1', '/')
    .replaceAll('~0', '~');
}

function Facts({ effects, zone }: { effects: Schemas['Effects']; zone: string | undefined }) {
  const say = useSay();
  const { language } = usePrefs();
  const { items, moved, fires, interrupts = [], notCarried = [], refusing = [] } = effects;
  return (
    <>
      {items && <p>{say('effects.items', { before: items.before, after: items.after })}</p>}
      {moved !== undefined && moved > 0 && <p>{say('effects.moved', { count: moved })}</p>}
      {interrupts.length > 0 && <p className={s.warn}>{say('act.running', { count: interrupts.length, items: numbers(interrupts, language) })}</p>}
      {notCarried.length > 0 && (
        <p className={s.warn}>
          {say('effects.notCarried')} <code>{notCarried.join(', ')}</code>
        </p>
      )}
      {refusing.length > 0 && (
        <p className={s.warn}>
          {say('effects.refusing')} <bdi>{refusing.join(', ')}</bdi>
        </p>
      )}
      {fires && (
        <div className={s.fires}>
          <Instants word={say('effects.firesBefore')} all={fires.before} zone={zone} />
          <Instants word={say('effects.firesAfter')} all={fires.after} zone={zone} />
        </div>
      )}
    </>
  );
}

function Instants({ word, all, zone }: { word: string; all: readonly string[]; zone: string | undefined }) {
  const say = useSay();
  return (
    <div>
      <h3>{word}</h3>
      <ol>
        {all.slice(0, FIRES).map((at) => (
          <li key={at}>
            <Instant at={at} zone={zone} seconds />
          </li>
        ))}
        {all.length === 0 && <li className="dim">{say('job.neverFires')}</li>}
      </ol>
    </div>
  );
}
