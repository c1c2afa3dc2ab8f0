import { useQueryClient } from '@tanstack/react-query';
import { useRouter, useSearch } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { keys } from '../../api/queries';
import { safeNext } from '../../parts/safeLink';
import { useSay } from '../../words/say';
import { Door } from './Door';
import { SignInForm } from './SignInForm';

export function SignInPage() {
  const say = useSay();
  const router = useRouter();
  const client = useQueryClient();
  const { next } = useSearch({ from: '/sign-in' });
  const enter = (session: Schemas['Session']) => {
    client.setQueryData(keys.session, session);
    const path = safeNext(next);
    if (path) router.history.push(path);
    else void router.navigate({ to: '/' });
  };
  return (
    <Door title={say('signIn.title')}>
      <SignInForm onDone={enter} />
    </Door>
  );
}
