import { type SubmitEvent, useState } from 'react';
import { body, type Schemas, server } from '../../api/client';
import { asProblem, type Problem } from '../../api/problem';
import { Button } from '../../parts/Button';
import { useCountdown } from '../../parts/countdown';
import { Field } from '../../parts/Field';
import { ErrorBox } from '../../parts/States';
import { useSay } from '../../words/say';
import s from './Door.module.css';

/** Login and password, as password managers know them. */
export function SignInForm({ onDone }: { onDone: (session: Schemas['Session']) => void }) {
  const say = useSay();
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<Problem>();
  const [sending, setSending] = useState(false);
  const left = useCountdown(problem?.retryAfter);

  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    if (sending) return;
    setSending(true);
    try {
      onDone(await body(server.POST('/api/v1/session', { body: { login, password } })));
    } catch (error) {
      setProblem(asProblem(error));
      setPassword('');
    } finally {
      setSending(false);
    }
  };
  return (
    <form className={s.form} onSubmit={(event) => void send(event)}>
      <Field label={say('signIn.login')} name="username" autoComplete="username" value={login} onChange={setLogin} isRequired autoFocus />
      <Field
        label={say('signIn.password')}
        name="password"
        type="password"
        autoComplete="current-password"
        value={password}
        onChange={setPassword}
        isRequired
      />
      {problem && <ErrorBox error={problem} />}
      <Button look="primary" type="submit" busy={sending} isDisabled={left > 0}>
        {left > 0 ? say('signIn.wait', { seconds: left }) : say('signIn.do')}
      </Button>
    </form>
  );
}
