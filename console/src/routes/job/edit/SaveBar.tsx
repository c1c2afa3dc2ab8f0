/** Below a form: why it is changed, and the button that says as which version. What was typed stays until the server has it. */
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Faults } from '../../../act/Effects';
import { useTyped } from '../../../act/typed';
import { body, server } from '../../../api/client';
import { asProblem, type Problem } from '../../../api/problem';
import { type Definition, type JobName, keys } from '../../../api/queries';
import { Button } from '../../../parts/Button';
import { Check } from '../../../parts/Check';
import { Icon } from '../../../parts/Glyph';
import { Field } from '../../../parts/Field';
import { ErrorBox } from '../../../parts/States';
import { Ago } from '../../../parts/Times';
import { shown } from '../../../words/format';
import { Say, useSay } from '../../../words/say';
import { etag } from '../etag';
import { patch, words } from './edit';
import s from './Edit.module.css';
import type { Editing } from './useEdit';

interface Props {
  name: JobName;
  definition: Definition;
  editing: Editing;
}

export function SaveBar({ name, definition, editing }: Props) {
  const say = useSay();
  const client = useQueryClient();
  const reason = useTyped(`${name.project}/${name.job}`);
  const [override, setOverride] = useState(false);
  const [state, setState] = useState<'still' | 'sent' | 'noReason' | Problem>('still');
  const { edit, isBehind } = editing;
  const byFiles = definition.managed === 'files';
  const problem = typeof state === 'object' ? state : undefined;

  const save = async () => {
    if (state === 'sent' || isBehind) return;
    if (!reason.text.trim()) {
      setState('noReason');
      return;
    }
    setState('sent');
    const settings = patch(edit.base.settings, edit.mine.settings);
    try {
      const saved = await body(
        server.PATCH('/api/v1/projects/{project}/jobs/{job}', {
          params: { path: name, header: { 'If-Match': etag(edit.version) } },
          body: {
            reason: reason.text.trim(),
            ...(Object.keys(settings).length ? { settings } : {}),
            ...(edit.mine.owner === edit.base.owner ? {} : { owner: edit.mine.owner }),
            ...(edit.mine.tags === edit.base.tags ? {} : { tags: words(edit.mine.tags) }),
            ...(override ? { override } : {}),
          },
        }),
      );
      client.setQueryData([...keys.job(name), 'definition'], saved);
      editing.saved(saved);
      reason.sent();
      setState('still');
    } catch (error) {
      setState(asProblem(error));
    } finally {
      // Whoever was faster is seen, and so is what was done though its answer was lost.
      void client.invalidateQueries({ queryKey: keys.job(name) });
    }
  };
  if (!editing.isChanged) return null;
  return (
    <section className={s.bar} aria-label={say('edit.bar')}>
      {editing.keptAt !== undefined && (
        <p className={s.note}>
          <Say id="edit.kept" parts={{ ago: <Ago at={new Date(editing.keptAt).toISOString()} /> }} />
        </p>
      )}
      {isBehind && (
        <div className={s.conflict} role="alert">
          <p>
            <Say
              id="edit.behind"
              values={{ version: definition.version }}
              parts={{ who: <bdi>{definition.changedBy}</bdi>, ago: <Ago at={definition.changedAt} /> }}
            />
          </p>
          <Button small look="primary" onPress={editing.catchUp}>
            {say('edit.catchUp', { version: definition.version })}
          </Button>
        </div>
      )}
      {editing.clashes.length > 0 && (
        <div className={s.conflict}>
          <p>{say('edit.clashes')}</p>
          <ul>
            {editing.clashes.map(({ key, theirs, mine }) => (
              <li key={key}>
                <code>{key}</code> <bdi className="mono">{theirs === undefined ? say('settings.default') : shown(theirs)}</bdi>
                <Icon shape="i-arrow" />
                <bdi className="mono">{mine === undefined ? say('settings.default') : shown(mine)}</bdi>
              </li>
            ))}
          </ul>
        </div>
      )}
      {problem && problem.code !== 'version-conflict' && (
        <>
          <ErrorBox error={problem} />
          <Faults all={problem.faults} />
        </>
      )}
      {byFiles && <Check label={say('settings.override')} isOn={override} onChange={setOverride} />}
      <form
        className={s.save}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Field label={say('act.reason')} fault={state === 'noReason' ? say('act.reasonMissing') : undefined} value={reason.text} onChange={reason.type} autoComplete="off" />
        <Button onPress={editing.discard}>{say('edit.discard')}</Button>
        <Button type="submit" look="primary" busy={state === 'sent'} isDisabled={isBehind || (byFiles && !override)}>
          {state === 'sent' ? say('act.sent') : say('edit.save', { version: edit.version + 1 })}
        </Button>
      </form>
    </section>
  );
}
