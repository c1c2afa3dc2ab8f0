import { afterEach, expect, it, vi } from 'vitest';
import { server } from '../api/client';
import { type ActName, ACTS, undoOf } from './acts';

const job = { project: 'billing', job: 'nightly' };
const names = Object.keys(ACTS) as ActName[];

afterEach(() => {
  vi.restoreAllMocks();
});

it('what takes an act back is done without a sheet, or is what a sheet did', () => {
  for (const act of names) {
    const undo = undoOf(act, job);
    if (undo) expect(ACTS[undo].undo, act).toBe(act === 'drain' ? 'pause' : act);
  }
});

it('a host that goes on is not taken back by stopping the whole job', () => {
  expect(undoOf('resume', { ...job, host: '10.0.0.1' })).toBeUndefined();
  expect(undoOf('resume', job)).toBe('pause');
  expect(undoOf('disable', { ...job, host: '10.0.0.1' })).toBe('enable');
});

it.each(names.filter((act) => act !== 'remove'))('%s sends its key, its reason, and where it is meant', async (act) => {
  const sent = vi.spyOn(server, 'POST').mockResolvedValue({ data: {}, response: new Response() });
  const subject = { ...job, host: '10.0.0.1', instance: '10.0.0.1@-@7', item: 3 };
  await ACTS[act].send(subject, { reason: 'why', dryRun: false, timeout: 60_000, from: 'last' }, 'a-key');
  const [path, asked] = sent.mock.calls[0] as unknown as [string, { params: { path: object }; body: object; headers: object }];
  expect(path).toMatch(/^\/api\/v1\/projects\/\{project\}\/jobs\/\{job\}\//);
  expect(asked.headers).toEqual({ 'Idempotency-Key': 'a-key' });
  expect(asked.body).toMatchObject({ reason: 'why', dryRun: false });
  expect(asked.params.path).toMatchObject(act.startsWith('item') ? { ...job, i: '3' } : job);
  if (['drain', 'disable', 'enable', 'resume'].includes(act)) expect(asked.body).toMatchObject({ host: '10.0.0.1' });
  if (act === 'shutdown') expect(asked.body).toMatchObject({ target: '10.0.0.1@-@7' });
});

it('a removal says how and why, also when it is only looked at', async () => {
  const sent = vi.spyOn(server, 'DELETE').mockResolvedValue({ data: {}, response: new Response() });
  await ACTS.remove.send(job, { reason: '', dryRun: true }, '');
  await ACTS.remove.send(job, { reason: 'why', dryRun: false, mode: 'drain', takeOver: true }, '');
  const queries = sent.mock.calls.map((call) => (call[1] as { params: { query: unknown } }).params.query);
  expect(queries).toEqual([
    { dryRun: true, mode: 'stop', reason: 'dry run' },
    { dryRun: false, mode: 'drain', reason: 'why', takeOver: true },
  ]);
});
