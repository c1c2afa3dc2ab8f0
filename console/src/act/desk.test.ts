import { afterEach, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { ACTS, type Operation } from './acts';
import { doNow, forget, onDesk, sendAgain } from './desk';

const subject = { project: 'billing', job: 'nightly' };

const told = () => onDesk().told;

afterEach(() => {
  vi.restoreAllMocks();
  for (const { id } of told()) forget(id);
});

it('an act at once is told as sent, then in the server’s word', async () => {
  let answer: (word: Operation) => void = () => undefined;
  vi.spyOn(ACTS.resume, 'send').mockReturnValue(new Promise((resolve) => (answer = resolve)));
  const done = doNow({ act: 'resume', subject }, 'well again');
  expect(told()).toMatchObject([{ act: 'resume', subject, wish: { reason: 'well again', dryRun: false } }]);
  expect(told()[0]?.word).toBeUndefined();
  answer({ state: 'done' } as Operation);
  await done;
  expect(told()[0]?.word).toEqual({ state: 'done' });
});

it('what was lost is sent again by the same key, and what became of it is told in its place', async () => {
  const send = vi.spyOn(ACTS.resume, 'send').mockRejectedValueOnce(new Problem({ status: 0, code: 'unreachable' }));
  await doNow({ act: 'resume', subject }, '');
  const [lost] = told();
  expect(lost?.problem?.code).toBe('unreachable');
  send.mockResolvedValueOnce({ state: 'done' } as Operation);
  if (lost) await sendAgain(lost);
  expect(told()).toMatchObject([{ id: lost?.id, word: { state: 'done' }, problem: undefined }]);
  expect(send.mock.calls[0]?.[2]).toBe(send.mock.calls[1]?.[2]);
});
