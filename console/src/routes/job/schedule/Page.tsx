/** The schedule of a job, and what another one would do. */
import { useQuery } from '@tanstack/react-query';
import { Effects } from '../../../act/Effects';
import { can } from '../../../api/can';
import { type Definition, job, preview, session } from '../../../api/queries';
import { Panel } from '../../../parts/Panel';
import { useSettled } from '../../../parts/settled';
import { useSay } from '../../../words/say';
import e from '../edit/Edit.module.css';
import { SaveBar } from '../edit/SaveBar';
import { useEdit } from '../edit/useEdit';
import { useJobName } from '../Layout';
import { Coming, ScheduleFields } from './Fields';

export function JobSchedule() {
  const name = useJobName();
  const { data } = useQuery(job(name));
  return data ? <Editor key={`${name.project}/${name.job}`} definition={data} /> : null;
}

function Editor({ definition }: { definition: Definition }) {
  const say = useSay();
  const name = useJobName();
  const me = useQuery(session).data;
  const mayWrite = can(me, 'job.write', name.project) && definition.state !== 'removing';
  const editing = useEdit(name, definition);
  const { settings } = editing.edit.mine;
  const settled = useSettled(settings);
  const faults = useQuery({ ...preview(name, settled), enabled: editing.isChanged }).data?.problems ?? [];
  return (
    <div className={e.stack}>
      <div className={e.cols}>
        <div className={e.stack}>
          <ScheduleFields
            settings={settings}
            onChange={(next) => editing.change({ ...editing.edit.mine, settings: next })}
            faults={faults}
            isFixed={!mayWrite}
          />
        </div>
        <div className={e.stack}>
          {editing.isChanged && (
            <Panel title={say('edit.does')}>
              <Effects name={name} settings={settled} version={definition.version} />
            </Panel>
          )}
          <Coming settings={settings} />
        </div>
      </div>
      {mayWrite && <SaveBar name={name} definition={definition} editing={editing} />}
    </div>
  );
}
