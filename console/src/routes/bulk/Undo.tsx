/** Takes back what was done with many jobs: each that was changed by it becomes what it was. */
import { useState } from 'react';
import { Frame, Overlay } from '../../act/Frame';
import { body, type Schemas, server } from '../../api/client';
import { Button } from '../../parts/Button';
import { Icon } from '../../parts/Glyph';
import { useSay } from '../../words/say';
import { useFollow } from './follow';

export function Undo({ of }: { of: Record<string, unknown> }) {
  const say = useSay();
  const follow = useFollow();
  const [isOpen, setOpen] = useState(false);
  // The server wrote this body, for this call.
  const ask = of as unknown as Schemas['Bulk'];
  const count = 'jobs' in ask.select ? ask.select.jobs.length : 0;
  const title = say('bulk.do', { verb: say(`act.${ask.action}`), count });
  const send = async (reason: string, key: string) => {
    // What is selected now is what is taken back.
    const looked = await body(server.POST('/api/v1/bulk', { body: { ...ask, dryRun: true } }));
    const expect = looked.result.bulk?.expect;
    return body(server.POST('/api/v1/bulk', { body: { ...ask, reason, ...(expect ? { expect } : {}) }, headers: { 'Idempotency-Key': key } }));
  };
  return (
    <>
      <Button onPress={() => setOpen(true)}>
        <Icon shape="i-retry" />
        {`${say('act.undo')}…`}
      </Button>
      <Overlay isOpen={isOpen} onClose={() => setOpen(false)}>
        <Frame
          title={title}
          lead={say('bulk.undoSay')}
          needsReason
          plan={null}
          send={send}
          onWord={(word) => {
            setOpen(false);
            follow(word);
          }}
          onClose={() => setOpen(false)}
        />
      </Overlay>
    </>
  );
}
