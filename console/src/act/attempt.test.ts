import { expect, it } from 'vitest';
import { Problem } from '../api/problem';
import { answered, type Attempt, failed, opened, sending } from './attempt';

const refusal = new Problem({ status: 409, code: 'items-running' });
const silence = new Problem({ status: 0, code: 'unreachable' });

/** Sends, and hears this. */
function told(attempt: Attempt<string>, problem: Problem, newKey: string): Attempt<string> {
  const sent = sending(attempt);
  if (!sent) throw new Error('nothing was sent');
  return failed(sent.next, problem, newKey);
}

it('a second click while it is on its way sends nothing', () => {
  const sent = sending(opened('a'));
  expect(sent?.key).toBe('a');
  expect(sent && sending(sent.next)).toBeUndefined();
});

it('an answer that was lost is asked for again by the same key', () => {
  const lost = told(opened('a'), silence, 'b');
  expect(lost.at).toBe('lost');
  expect(sending(lost)?.key).toBe('a');
  const unknown = told(lost, new Problem({ status: 504, code: 'unknown-outcome' }), 'c');
  expect(sending(unknown)?.key).toBe('a');
  const underWay = told(unknown, new Problem({ status: 409, code: 'request-in-progress' }), 'd');
  expect(sending(underWay)?.key).toBe('a');
});

it('after a refusal another try is another wish', () => {
  const refused = told(opened('a'), refusal, 'b');
  expect(refused).toMatchObject({ at: 'refused', problem: refusal });
  expect(sending(refused)?.key).toBe('b');
});

it('what is over is not sent again', () => {
  expect(sending(answered(opened('a'), 'done'))).toBeUndefined();
});
