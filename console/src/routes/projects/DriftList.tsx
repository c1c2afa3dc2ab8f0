/** What others wrote into the registry: when, who it may have been, what it changed, and what became of it. */
import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import t from '../../parts/Table.module.css';
import { Ago, None } from '../../parts/Times';
import type { MessageId } from '../../words/ids';
import { useSay } from '../../words/say';

type Drift = Schemas['DriftView'];

const KINDS: Readonly<Record<string, MessageId>> = {
  changed: 'drift.changed',
  both: 'drift.both',
  broken: 'drift.broken',
  foreign: 'drift.foreign',
  missing: 'drift.missing',
  open: 'drift.open',
  denied: 'drift.denied',
};

export function DriftList({ all, project }: { all: readonly Drift[]; project?: string }) {
  const say = useSay();
  return (
    <div className={t.scroll} tabIndex={0} role="group" aria-label={say('drift.title')}>
      <table className={t.tbl} style={{ minWidth: 620 }}>
        <thead>
          <tr>
            <th style={{ width: 120 }}>{say('drift.when')}</th>
            {project && <th>{say('jobs.column.job')}</th>}
            <th style={{ width: 170 }}>{say('drift.what')}</th>
            <th>{say('drift.keys')}</th>
            <th>{say('drift.who')}</th>
            <th style={{ width: 110 }}>{say('drift.then')}</th>
          </tr>
        </thead>
        <tbody>
          {all.map((one) => {
            const kind = KINDS[one.kind];
            return (
              <tr key={one.id}>
                <td>
                  <Ago at={one.foundAt} />
                </td>
                {project && (
                  <td>
                    <Link to="/jobs/$project/$job/settings" params={{ project, job: one.job }} className="link">
                      <bdi>{one.job}</bdi>
                    </Link>
                  </td>
                )}
                <td>{kind ? say(kind) : one.kind}</td>
                <td className={t.wrap}>
                  <bdi className="mono">{Object.keys(one.changes).join(', ')}</bdi>
                </td>
                <td className={t.wrap}>
                  <Author of={one.author} />
                </td>
                <td>{say(one.verdict === 'repaired' ? 'drift.repaired' : 'drift.reported')}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const GUESSES: Readonly<Record<string, MessageId>> = {
  console: 'guess.console',
  instance: 'guess.instance',
  command: 'guess.command',
  'elastic-job305': 'guess.elasticJob305',
};

/** Who may have written it: a guess. */
function Author({ of }: { of: Readonly<Record<string, unknown>> }) {
  const say = useSay();
  const author = (typeof of['author'] === 'object' ? of['author'] : null) as { guess?: string; instance?: string } | null;
  const word = GUESSES[author?.guess ?? ''];
  if (!word) return <None />;
  return <bdi>{say(word, { instance: author?.instance ?? '' })}</bdi>;
}
