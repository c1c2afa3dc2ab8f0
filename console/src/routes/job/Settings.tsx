/** What a job is set to, key by key and as the jobs file that would make it. What is not named is at its default. */
import { useQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import { job, yaml } from '../../api/queries';
import { Copy } from '../../parts/Copy';
import { Panel } from '../../parts/Panel';
import { ErrorBox, Pending } from '../../parts/States';
import t from '../../parts/Table.module.css';
import { useSay } from '../../words/say';
import s from './Job.module.css';
import { useJobName } from './Layout';
import { lines } from './settings';

export function JobSettings() {
  const say = useSay();
  const name = useJobName();
  const { data } = useQuery(job(name));
  const file = useQuery(yaml(name));
  const text = useRef<HTMLPreElement>(null);
  if (!data) return null;
  const all = lines(data.settings);
  return (
    <div className={s.stack}>
      <Panel title={say('settings.set')} side={say('settings.defaults')}>
        <table className={t.tbl}>
          <thead>
            <tr>
              <th style={{ width: '38%' }}>{say('settings.key')}</th>
              <th>{say('settings.value')}</th>
            </tr>
          </thead>
          <tbody>
            {all.map(([key, value]) => (
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
    </div>
  );
}
