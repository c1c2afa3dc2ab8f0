/**
 * The frame of what is done with a reason: what it would do, why, and the button that repeats what is done. It sends once, keeps what was typed
 * when it is refused, and asks again by the same key when nobody knows.
 */
import { type ReactNode, type SyntheticEvent, useState } from 'react';
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { onceKey } from '../api/client';
import { asProblem } from '../api/problem';
import { Button } from '../parts/Button';
import { Field } from '../parts/Field';
import o from '../parts/Overlay.module.css';
import { ErrorBox } from '../parts/States';
import { useSay } from '../words/say';
import { answered, type Attempt, failed, opened, sending } from './attempt';
import { Faults } from './Effects';
import s from './Sheet.module.css';
import { useTyped } from './typed';

interface OverlayProps {
  isOpen: boolean;
  onClose: () => void;
  /** What cannot be taken back stands in the middle, and its safe button has the focus. */
  isDialog?: boolean;
  children: ReactNode;
}

/** The overlay of a sheet, or of a dialog. */
export function Overlay({ isOpen, onClose, isDialog = false, children }: OverlayProps) {
  return (
    <ModalOverlay isOpen={isOpen} onOpenChange={(open) => !open && onClose()} className={(isDialog ? o.scrim : s.scrim) ?? ''}>
      <Modal className={(isDialog ? o.modal : s.sheet) ?? ''} data-wide={isDialog || undefined}>
        <Dialog className={s.body ?? ''} role={isDialog ? 'alertdialog' : 'dialog'}>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

interface Props<T> {
  /** What is done, with what: it stands above and on the button. */
  title: string;
  lead?: string;
  isDialog?: boolean;
  /** Whether all that is asked for was said. */
  isReady?: boolean;
  /** Without a reason it is not sent. */
  needsReason?: boolean;
  /** What it would do. */
  plan: ReactNode;
  /** What is asked besides the reason. */
  extra?: ReactNode;
  send: (reason: string, key: string) => Promise<T>;
  onWord: (word: T, reason: string, key: string) => void;
  onClose: () => void;
}

export function Frame<T>({ title, lead, isDialog = false, isReady = true, needsReason = false, plan, extra, send, onWord, onClose }: Props<T>) {
  const say = useSay();
  const reason = useTyped(title);
  const [attempt, setAttempt] = useState<Attempt<T>>(() => opened(onceKey()));
  const [missing, setMissing] = useState(false);
  const isFixed = attempt.at === 'sent' || attempt.at === 'lost';

  const go = async (event: SyntheticEvent) => {
    event.preventDefault();
    if (!isReady) return;
    const text = reason.text.trim();
    setMissing(needsReason && text === '');
    if (needsReason && text === '') return;
    const sent = sending(attempt);
    if (!sent) return;
    setAttempt(sent.next);
    try {
      const word = await send(text, sent.key);
      setAttempt(answered(sent.next, word));
      reason.sent();
      onWord(word, text, sent.key);
    } catch (error) {
      setAttempt(failed(sent.next, asProblem(error), onceKey()));
    }
  };
  return (
    <form className={s.form} onSubmit={(event) => void go(event)} noValidate>
      <Heading slot="title">{title}</Heading>
      {lead && <p className="mid">{lead}</p>}
      {plan}
      <fieldset className={s.fields} disabled={isFixed}>
        {extra}
        <Field
          label={say('act.reason')}
          hint={say('act.reasonHint')}
          fault={missing ? say('act.reasonMissing') : undefined}
          value={reason.text}
          onChange={reason.type}
          autoComplete="off"
          autoFocus={!isDialog}
        />
      </fieldset>
      {(attempt.at === 'refused' || attempt.at === 'lost') && (
        <>
          <ErrorBox error={attempt.problem} />
          <Faults all={attempt.problem.faults} />
        </>
      )}
      {attempt.at === 'lost' && <p className="mid">{say('act.lost')}</p>}
      <div className={s.row}>
        <Button onPress={onClose} autoFocus={isDialog}>
          {say('act.leave')}
        </Button>
        <Button type="submit" look={isDialog ? 'usual' : 'primary'} busy={attempt.at === 'sent'} isDisabled={!isReady}>
          {attempt.at === 'sent' ? say('act.sent') : attempt.at === 'lost' ? say('act.askAgain') : title}
        </Button>
      </div>
    </form>
  );
}
