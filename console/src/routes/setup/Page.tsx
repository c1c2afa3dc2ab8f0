/**
 * What a link lets somebody do once: the first administrator chooses login and password, others choose a password, and who comes in for an hour chooses
 * nothing.
 */
import { useQueryClient } from '@tanstack/react-query';
import { Link, useRouter } from '@tanstack/react-router';
import { type SubmitEvent, useState } from 'react';
import { body, server } from '../../api/client';
import { asProblem, type Problem } from '../../api/problem';
import { keys } from '../../api/queries';
import { Button } from '../../parts/Button';
import { Field } from '../../parts/Field';
import { ErrorBox } from '../../parts/States';
import { useSay } from '../../words/say';
import { Door } from '../sign-in/Door';
import s from '../sign-in/Door.module.css';
import { secretOfLink } from './secret';

/** What links are for: the title of each one's page, and what it says. */
const WORDS = {
  setup: ['setup.title', 'setup.say'],
  link: ['link.title', 'link.say'],
  rescue: ['rescue.title', 'rescue.say'],
} as const;

type Kind = keyof typeof WORDS;

export function SetupPage({ kind }: { kind: Kind }) {
  const say = useSay();
  const router = useRouter();
  const client = useQueryClient();
  const token = secretOfLink();
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<Problem>();
  const [sending, setSending] = useState(false);
  const fault = (pointer: string) => problem?.faults.find((fault) => fault.pointer === pointer)?.message;

  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    if (sending) return;
    setSending(true);
    try {
      const chosen = { setup: { login, password }, link: { password }, rescue: {} }[kind];
      const session = await body(server.POST('/api/v1/links/{token}', { params: { path: { token } }, body: chosen }));
      client.setQueryData(keys.session, session);
      await router.navigate({ to: '/' });
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setSending(false);
    }
  };
  const [titled, said] = WORDS[kind];
  const title = say(titled);
  if (!token) {
    return (
      <Door title={title}>
        <p className="mid">{say('link.noSecret')}</p>
        <Link className="link" to="/sign-in">
          {say('signIn.title')}
        </Link>
      </Door>
    );
  }
  return (
    <Door title={title}>
      <p className="mid">{say(said)}</p>
      <form className={s.form} onSubmit={(event) => void send(event)}>
        {kind === 'setup' && (
          <Field
            label={say('signIn.login')}
            name="username"
            autoComplete="username"
            value={login}
            onChange={setLogin}
            fault={fault('/login')}
            isRequired
            autoFocus
          />
        )}
        {kind !== 'rescue' && (
          <Field
            label={say('signIn.password')}
            hint={say('setup.password')}
            name="password"
            type="password"
            autoComplete="new-password"
            value={password}
            onChange={setPassword}
            fault={fault('/password')}
            isRequired
          />
        )}
        {problem && <ErrorBox error={problem} />}
        <Button look="primary" type="submit" busy={sending}>
          {say('setup.do')}
        </Button>
      </form>
    </Door>
  );
}
