/** Settings that differ: key, before, after. */
import type { Schemas } from '../api/client';
import t from '../parts/Table.module.css';
import { shown } from '../words/format';
import { useSay } from '../words/say';
import s from './Differences.module.css';

interface Props {
  all: readonly Schemas['Difference'][];
  before: string;
  after: string;
}

export function Differences({ all, before, after }: Props) {
  const say = useSay();
  return (
    <table className={t.tbl}>
      <thead>
        <tr>
          <th style={{ width: '34%' }}>{say('settings.key')}</th>
          <th>{before}</th>
          <th>{after}</th>
        </tr>
      </thead>
      <tbody>
        {all.map(({ key, before: old, after: then }) => (
          <tr key={key}>
            <td className={t.wrap}>
              <code>{key}</code>
            </td>
            <td className={t.wrap}>{old == null ? <Default /> : <bdi className={`mono ${s.old}`}>{shown(old)}</bdi>}</td>
            <td className={t.wrap}>{then == null ? <Default /> : <bdi className="mono">{shown(then)}</bdi>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Default() {
  const say = useSay();
  return <span className="dim">{say('settings.default')}</span>;
}
