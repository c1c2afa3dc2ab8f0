import { type QueryKey, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { asProblem, type Problem } from '../api/problem';

/** Something that was asked of the server: sent, then its word. What is seen of it is asked for again once it is done. */
export function useSent<T, R>(act: (of: T) => Promise<R>, changes: readonly QueryKey[]) {
  const client = useQueryClient();
  const [sent, setSent] = useState<T>();
  const [problem, setProblem] = useState<Problem>();
  const [answer, setAnswer] = useState<R>();
  const send = (of: T, done?: (answer: R) => void) => {
    if (sent !== undefined) return;
    setSent(of);
    setProblem(undefined);
    setAnswer(undefined);
    act(of)
      .then(async (told) => {
        await Promise.all(changes.map((queryKey) => client.invalidateQueries({ queryKey })));
        setAnswer(told);
        done?.(told);
      })
      .catch((error: unknown) => setProblem(asProblem(error)))
      .finally(() => setSent(undefined));
  };
  return { send, sent, problem, answer };
}
