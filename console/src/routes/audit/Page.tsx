/** The journal: who did what, to what, and why; of one project, or of everything for those who may see it. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Fragment, useState } from 'react';
import { can } from '../../api/can';
import { journal, type JournalRecord, projects, session } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Icon } from '../../parts/Glyph';
import p from '../../parts/Page.module.css';
import { Empty, More, Unseen } from '../../parts/States';
import { Table } from '../../parts/Table';
import t from '../../parts/Table.module.css';
import { Instant, None } from '../../parts/Times';
import type { MessageId } from '../../words/ids';
import { useSay } from '../../words/say';
import s from './Audit.module.css';

export function AuditPage() {
  const say = useSay();
  const me = useQuery(session).data;
  const all = useQuery(projects).data ?? [];
  const readable = all.filter((project) => can(me, 'audit.read', project.name));
  const everything = can(me, 'audit.all');
  const { project: asked } = useSearch({ from: '/shell/audit' });
  const project = asked ?? (everything ? undefined : readable[0]?.name);
  const navigate = useNavigate({ from: '/audit' });
  const choose = (name: string) => void navigate({ search: (before) => ({ ...before, project: name || undefined }) });
  return (
    <>
      <div className={p.head}>
        <h1>{say('audit.title')}</h1>
        <div className={p.acts}>
          <select value={project ?? ''} aria-label={say('audit.of')} onChange={(event) => choose(event.target.value)}>
            {everything && <option value="">{say('audit.everything')}</option>}
            {readable.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
      </div>
      <div className={p.panel}>
        {project !== undefined || everything ? <Records project={project} /> : <Empty title={say('audit.notAllowed')} />}
      </div>
    </>
  );
}

function Records({ project }: { project: string | undefined }) {
  const say = useSay();
  const list = useInfiniteQuery(journal(project, {}));
  const [open, setOpen] = useState<number>();
  if (!list.data) return <Unseen query={list} what="place.audit" rows={12} />;
  const records = list.data.pages.flatMap((page) => page.items);
  if (records.length === 0) return <Empty title={say('audit.none')} />;
  return (
    <>
      <Table
        size="wide"
        of={[
          { word: 'audit.number', width: 80, isNumber: true },
          { word: 'audit.when', width: 160 },
          { word: 'audit.who', width: 190 },
          { word: 'audit.what', width: 150 },
          { word: 'audit.to', width: 220 },
          { word: 'audit.why' },
          { word: 'audit.result', width: 96 },
          { word: 'audit.detail', width: 44, isUnseen: true },
        ]}
      >
        {records.map((record) => (
          <Fragment key={record.seq}>
            <Line record={record} isOpen={open === record.seq} onOpen={() => setOpen(open === record.seq ? undefined : record.seq)} />
            {open === record.seq && <Detail record={record} />}
          </Fragment>
        ))}
      </Table>
      <More list={list} />
    </>
  );
}

const RESULTS: Readonly<Record<string, MessageId>> = {
  done: 'result.done',
  begun: 'result.begun',
  partial: 'result.partial',
  refused: 'result.refused',
  failed: 'result.failed',
};
const VIAS: Readonly<Record<string, MessageId>> = {
  session: 'via.session',
  token: 'via.token',
  link: 'via.link',
  command: 'via.command',
  itself: 'via.itself',
};

function Line({ record, isOpen, onOpen }: { record: JournalRecord; isOpen: boolean; onOpen: () => void }) {
  const say = useSay();
  const via = VIAS[record.actor.via];
  const result = RESULTS[record.outcome];
  const bad = record.outcome === 'refused' || record.outcome === 'failed';
  return (
    <tr>
      <td className={t.num}>{record.seq}</td>
      <td>
        <Instant at={record.at} seconds />
      </td>
      <td>
        <bdi>{record.actor.name}</bdi> <span className="dim">{via ? say(via) : record.actor.via}</span>
      </td>
      <td>
        <code>{record.action}</code>
      </td>
      <td>
        <span className="dim">{record.target.kind}</span> <bdi>{record.target.name}</bdi>
      </td>
      <td title={record.reason}>{record.reason ? <bdi>{record.reason}</bdi> : <None />}</td>
      <td className={bad ? 'fail t' : undefined}>{result ? say(result) : record.outcome}</td>
      <td>
        <Button small look="quiet" icon onPress={onOpen} aria-expanded={isOpen} aria-label={say('audit.open', { number: record.seq })}>
          <Icon shape={isOpen ? 'i-down' : 'i-right'} />
        </Button>
      </td>
    </tr>
  );
}

function Detail({ record }: { record: JournalRecord }) {
  const say = useSay();
  const facts: [MessageId, string | null | undefined][] = [
    ['audit.project', record.project],
    ['audit.from', record.actor.ip],
    ['audit.request', record.actor.request],
    ['audit.code', record.code],
    ['audit.hash', record.hash],
  ];
  return (
    <tr>
      <td colSpan={8} className={s.detail}>
        <dl>
          {facts.map(
            ([word, value]) =>
              value && (
                <div key={word}>
                  <dt>{say(word)}</dt>
                  <dd className="mono">{value}</dd>
                </div>
              ),
          )}
        </dl>
        {record.changes != null && <pre tabIndex={0}>{JSON.stringify(record.changes, null, 2)}</pre>}
      </td>
    </tr>
  );
}
