/** A new job: where it belongs, what it is called, when it fires, what it runs. What was typed is kept until it is made. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type SyntheticEvent, useEffect, useId, useState } from 'react';
import { opened, type Attempt, answered, failed, sending } from '../../act/attempt';
import { draft, keep } from '../../act/drafts';
import { Faults } from '../../act/Effects';
import { can } from '../../api/can';
import { body, onceKey, server } from '../../api/client';
import { asProblem } from '../../api/problem';
import { type Definition, keys, projects, session, type Settings } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Field } from '../../parts/Field';
import p from '../../parts/Page.module.css';
import { Panel } from '../../parts/Panel';
import { Empty, ErrorBox, Unseen } from '../../parts/States';
import { useSay } from '../../words/say';
import { words } from '../job/edit/edit';
import e from '../job/edit/Edit.module.css';
import { SettingsForm } from '../job/edit/Form';
import { Coming, ScheduleFields } from '../job/schedule/Fields';
import { useMayCode } from '../job/code';

interface Draft {
  name: string;
  owner: string;
  tags: string;
  reason: string;
  settings: Settings;
}

const BLANK: Draft = {
  name: '',
  owner: '',
  tags: '',
  reason: '',
  settings: { elasticJobType: 'SCRIPT', props: { 'script.command.line': '' } },
};

const isDraft = (value: unknown): value is Draft =>
  typeof value === 'object' && value !== null && Object.keys(BLANK).every((key) => key in value);

const FORM = 'jobs/new';

export function NewJobPage() {
  const say = useSay();
  const me = useQuery(session).data;
  const list = useQuery(projects);
  if (!list.data) return <Unseen query={list} what="place.projects" />;
  const all = list.data.filter((project) => can(me, 'job.write', project.name)).map((project) => project.name);
  return (
    <>
      <div className={p.head}>
        <h1>{say('new.title')}</h1>
      </div>
      {all.length === 0 ? (
        <Empty title={say('new.nowhere')}>
          <p className="mid">{say('new.nowhereSay')}</p>
        </Empty>
      ) : (
        <Form projects={all} account={me?.person.id ?? ''} />
      )}
    </>
  );
}

function Form({ projects: all, account }: { projects: readonly string[]; account: string }) {
  const say = useSay();
  const id = useId();
  const client = useQueryClient();
  const navigate = useNavigate({ from: '/jobs/new' });
  const search = useSearch({ from: '/shell/jobs/new' });
  const project = all.find((one) => one === search.project) ?? all[0] ?? '';
  const mayCode = useMayCode(project);
  const [value, setValue] = useState<Draft>(() => draft(localStorage, account, FORM, Date.now(), isDraft)?.value ?? BLANK);
  const [attempt, setAttempt] = useState<Attempt<Definition>>(() => opened(onceKey()));
  const isBlank = JSON.stringify(value) === JSON.stringify(BLANK);
  const isMade = attempt.at === 'over';
  useEffect(() => {
    keep(localStorage, account, FORM, isBlank || isMade ? undefined : value, Date.now());
  }, [account, value, isBlank, isMade]);
  const problem = attempt.at === 'refused' || attempt.at === 'lost' ? attempt.problem : undefined;
  const faults = problem?.faults ?? [];
  const set = (change: Partial<Draft>) => setValue({ ...value, ...change });
  const faultAt = (pointer: string) => faults.find((fault) => fault.pointer === pointer)?.message;

  const make = async (event: SyntheticEvent) => {
    event.preventDefault();
    const sent = sending(attempt);
    if (!sent) return;
    setAttempt(sent.next);
    const { name, owner, tags, reason, settings } = value;
    try {
      const made = await body(
        server.POST('/api/v1/projects/{project}/jobs', {
          params: { path: { project } },
          headers: { 'Idempotency-Key': sent.key },
          body: { name: name.trim(), settings, owner, tags: words(tags), ...(reason.trim() ? { reason: reason.trim() } : {}) },
        }),
      );
      setAttempt(answered(sent.next, made));
      client.setQueryData([...keys.job({ project, job: made.name }), 'definition'], made);
      void client.invalidateQueries({ queryKey: keys.jobs });
      keep(localStorage, account, FORM, undefined, Date.now());
      await navigate({ to: '/jobs/$project/$job', params: { project, job: made.name } });
    } catch (error) {
      setAttempt(failed(sent.next, asProblem(error), onceKey()));
    }
  };
  return (
    <form onSubmit={(event) => void make(event)} noValidate className={e.stack}>
      <fieldset className={e.whole} disabled={attempt.at === 'sent' || attempt.at === 'lost'}>
        <div className={e.cols}>
          <div className={e.stack}>
            <Panel title={say('new.what')}>
              <div className={e.fields}>
                <div className={e.field}>
                  <label htmlFor={id}>{say('projects.name')}</label>
                  <select id={id} value={project} onChange={(event) => void navigate({ search: (old) => ({ ...old, project: event.target.value }), replace: true })}>
                    {all.map((one) => (
                      <option key={one}>{one}</option>
                    ))}
                  </select>
                </div>
                <Field label={say('new.name')} hint={say('new.nameHint')} fault={faultAt('/name')} value={value.name} onChange={(name) => set({ name })} autoComplete="off" />
                <Field label={say('fact.owner')} fault={faultAt('/owner')} value={value.owner} onChange={(owner) => set({ owner })} autoComplete="off" />
                <Field label={say('fact.tags')} hint={say('edit.tagsHint')} value={value.tags} onChange={(tags) => set({ tags })} autoComplete="off" />
              </div>
            </Panel>
            <ScheduleFields settings={value.settings} onChange={(settings) => set({ settings })} faults={faults} />
            <SettingsForm settings={value.settings} onChange={(settings) => set({ settings })} faults={faults} mayCode={mayCode} />
          </div>
          <div className={e.stack}>
            <Coming settings={value.settings} />
          </div>
        </div>
      </fieldset>
      <section className={e.bar} aria-label={say('edit.bar')}>
        {problem && (
          <>
            <ErrorBox error={problem} />
            <Faults all={problem.faults} />
            {attempt.at === 'lost' && <p className="mid">{say('act.lost')}</p>}
          </>
        )}
        <div className={e.save}>
          <Field label={say('act.reason')} value={value.reason} onChange={(reason) => set({ reason })} autoComplete="off" />
          <Button onPress={() => setValue(BLANK)}>{say('edit.discard')}</Button>
          <Button type="submit" look="primary" busy={attempt.at === 'sent'}>
            {attempt.at === 'sent' ? say('act.sent') : attempt.at === 'lost' ? say('act.askAgain') : say('new.make')}
          </Button>
        </div>
      </section>
    </form>
  );
}
