import { expect, it } from 'vitest';
import { reason } from './reason';

it('is told in the reader’s language', () => {
  expect(reason('exit_code', { code: 3 }, 'exit code 3', 'en')).toBe('exit code 3');
  expect(reason('exit_code', { code: 3 }, 'exit code 3', 'zh')).toBe('退出码 3');
});

it('leaves out what stands in brackets where its parameter is empty', () => {
  expect(reason('paused', {}, '', 'en')).toBe('the job was paused');
  expect(reason('paused', { by: 'lina' }, '', 'en')).toBe('the job was paused by lina');
  expect(reason('paused', { by: 'lina', text: 'no paper' }, '', 'zh')).toBe('作业已暂停，操作人：lina，原因：no paper');
});

it('puts a parameter in as it is, whatever it looks like', () => {
  expect(reason('job_said', { text: '{text} [x] $& <b>' }, '', 'en')).toBe('{text} [x] $& <b>');
});

it('falls back to the text of a code that is not known here, or that came without its parameters', () => {
  expect(reason('not_started', null, 'cannot run `x`', 'zh')).toBe('cannot run `x`');
  expect(reason('tomorrow', { a: 1 }, 'as told', 'zh')).toBe('as told');
  expect(reason(null, null, 'Java says no', 'en')).toBe('Java says no');
  expect(reason(undefined, undefined, undefined, 'en')).toBe('');
});
