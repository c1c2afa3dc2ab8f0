/** Back to an earlier version: its settings become the next one. What that changes is shown before. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Effects } from '../../act/Effects';
import { Frame, Overlay } from '../../act/Frame';
import { body, server } from '../../api/client';
import { type Definition, type JobName, keys, version } from '../../api/queries';
import { Check } from '../../parts/Check';
import { Unseen } from '../../parts/States';
import { useSay } from '../../words/say';
import { etag } from './etag';

interface Props {
  name: JobName;
  definition: Definition;
  /** The version to go back to; nothing is open without it. */
  to: number | undefined;
  onClose: () => void;
}

export function RollBack({ to, ...props }: Props) {
  return (
    <Overlay isOpen={to !== undefined} onClose={props.onClose}>
      {to !== undefined && <Form key={to} to={to} {...props} />}
    </Overlay>
  );
}

function Form({ name, definition, to, onClose }: Props & { to: number }) {
  const say = useSay();
  const client = useQueryClient();
  const old = useQuery(version(name, to));
  const [override, setOverride] = useState(false);
  const byFiles = definition.managed === 'files';
  const send = (reason: string, key: string) =>
    body(
      server.POST('/api/v1/projects/{project}/jobs/{job}/rollback', {
        params: { path: name, header: { 'If-Match': etag(definition.version) } },
        headers: { 'Idempotency-Key': key },
        body: { version: to, reason, ...(override ? { override } : {}) },
      }),
    );
  return (
    <Frame
      title={say('versions.rollBackTo', { version: to })}
      lead={say('versions.rollBackSay', { version: definition.version + 1 })}
      isReady={!byFiles || override}
      needsReason
      plan={old.data?.settings ? <Effects name={name} settings={old.data.settings} version={definition.version} /> : <Unseen query={old} what="act.plan" rows={2} />}
      extra={byFiles && <Check label={say('settings.override')} isOn={override} onChange={setOverride} />}
      send={send}
      onWord={() => {
        void client.invalidateQueries({ queryKey: keys.job(name) });
        onClose();
      }}
      onClose={onClose}
    />
  );
}
