/** The session is over while somebody works: they sign in again over the page, and everything on it is as it was. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { whenOver } from '../api/client';
import { type Schemas } from '../api/client';
import { keys } from '../api/queries';
import { tryNow } from '../api/stream/follow';
import o from '../parts/Overlay.module.css';
import { SignInForm } from '../routes/sign-in/SignInForm';
import { useSay } from '../words/say';

export function SessionOver() {
  const say = useSay();
  const client = useQueryClient();
  const [over, setOver] = useState(false);
  useEffect(() => whenOver(() => setOver(true)), []);

  const again = (session: Schemas['Session']) => {
    const before = client.getQueryData<Schemas['Session']>(keys.session);
    // Somebody else: nothing of the one before is theirs to see.
    if (before && before.person.id !== session.person.id) location.assign(document.baseURI);
    client.setQueryData(keys.session, session);
    setOver(false);
    tryNow();
    void client.invalidateQueries();
  };
  return (
    <ModalOverlay isOpen={over} isKeyboardDismissDisabled className={o.scrim ?? ''}>
      <Modal className={o.modal ?? ''}>
        <Dialog className={o.dialog ?? ''}>
          <Heading slot="title">{say('over.title')}</Heading>
          <p className="mid">{say('over.say')}</p>
          <SignInForm onDone={again} />
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
