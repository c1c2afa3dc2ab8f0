/** What a job is set to: fields for whoever may change them, lines for everybody else; the jobs file that would make it; and how the registry agrees. */
import { useQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import { Effects } from '../../act/Effects';
import { can } from '../../api/can';
import { type Definition, job, preview, session, yaml } from '../../api/queries';
import { Copy } from '../../parts/Copy';
import { Field } from '../../parts/Field';
import { Panel } from '../../parts/Panel';
import { useSettled } from '../../parts/settled';
import { ErrorBox, Pending } from '../../parts/States';
import t from '../../parts/Table.module.css';
import { useSay } from '../../words/say';
import { useMayCode } from './code';
import e from './edit/Edit.module.css';
import { SettingsForm } from './edit/Form';
import { SaveBar } from './edit/SaveBar';
import { useEdit } from './edit/useEdit';
import s from './Job.module.css';
import { useJobName } from './Layout';
import { Registry } from './Registry';
import { lines } from './settings';

export function JobSettings() {
  const name = useJobName();
  const { data } = useQuery(job(name));
  const me = useQuery(session).data;
  if (!data) return null;
  const mayWrite = can(me, 'job.write', name.project) && data.state !== 'removing';
  return (
    <div className={s.stack}>
      <Registry name={name} definition={data} />
      {mayWrite ? <Editor key={`${name.project}/${name.job}`} definition={data} /> : <Lines definition={data} />}
      <Yaml />
    </div>
  );
}

function Editor({ definition }: { definition: Definition }) {
  const say = useSay();
  const name = useJobName();
  const editing = useEdit(name, definition);
  const mayCode = useMayCode(name.project);
  const { mine } = editing.edit;
  const settled = useSettled(mine.settings);
  const faults = useQuery({ ...preview(name, settled), enabled: editing.isChanged }).data?.problems ?? [];
  return (
    <>
      <div className={e.cols}>
        <div className={e.stack}>
          <SettingsForm settings={mine.settings} onChange={(settings) => editing.change({ ...mine, settings })} faults={faults} mayCode={mayCode} />
        </div>
        <div className={e.stack}>
          <Panel title={say('edit.about')}>
            <div className={e.fields}>
              <Field label={say('fact.owner')} value={mine.owner} onChange={(owner) => editing.change({ ...mine, owner })} autoComplete="off" />
              <Field label={say('fact.tags')} hint={say('edit.tagsHint')} value={mine.tags} onChange={(tags) => editing.change({ ...mine, tags })} autoComplete="off" />
            </div>
          </Panel>
          {editing.isChanged && (
            <Panel title={say('edit.does')}>
              <Effects name={name} settings={settled} version={definition.version} />
            </Panel>
          )}
        </div>
      </div>
      <SaveBar name={name} definition={definition} editing={editing} />
    </>
  );
}

function Lines({ definition }: { definition: Definition }) {
  const say = useSay();
  return (
    <Panel title={say('settings.set')} side={say('settings.defaults')}>
      <table className={t.tbl}>
        <thead>
          <tr>
            <th style={{ width: '38%' }}>{say('settings.key')}</th>
            <th>{say('settings.value')}</th>
          </tr>
        </thead>
        <tbody>
          {lines(definition.settings).map(([key, value]) => (
            <tr key={key}>
              <td className={t.wrap}>
                <code>{key}</code>
              </td>
              <td className={t.wrap}>
                <bdi className="mono">{value}</bdi>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function Yaml() {
  const say = useSay();
  const file = useQuery(yaml(useJobName()));
  const text = useRef<HTMLPreElement>(null);
  return (
    <Panel title={say('settings.yaml')} side={file.data !== undefined && <Copy text={file.data} from={text} />}>
      {file.isError && file.data === undefined ? (
        <ErrorBox error={file.error} onRetry={() => void file.refetch()} />
      ) : file.data === undefined ? (
        <Pending what="settings.yaml" />
      ) : (
        <pre className={s.code} ref={text} tabIndex={0} aria-label={say('settings.yaml')}>
          {file.data}
        </pre>
      )}
    </Panel>
  );
}
