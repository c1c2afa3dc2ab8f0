/**
 * Lets what is on screen follow the server: the stream's events become changes of the cache. Hot rows carry their data and are put in place; the rest says only
 * that something changed, and what is seen of it is asked for again, at most once in two seconds each.
 */
import type { InfiniteData, QueryClient, QueryKey } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { BASE, onceKey } from '../client';
import { type JobPage, type JobRow, keys } from '../queries';
import { type Heard, NOTHING, state } from './fresh';
import { patched, touched } from './patch';
import { relay } from './relay';
import type { Told } from './source';
import type { FromTab } from './stream.worker';
import workerUrl from './stream.worker.ts?sharedworker&url';

/** How often the same is asked for again at most, milliseconds; and what is counted over all jobs. */
const AGAIN = 2_000;
const COUNTED = 5_000;
/** How often a tab says that it is looked at. */
const HERE = 20_000;

let heard: Heard = NOTHING;
const listeners = new Set<() => void>();

function set(change: Partial<Heard>): void {
  heard = { ...heard, ...change };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What was heard of the stream. */
export function useHeard(): Heard {
  return useSyncExternalStore(subscribe, () => heard);
}

/** True while the stream says what changes, so that nothing need be asked again. */
export function isFollowed(): boolean {
  const now = state(heard, Date.now());
  return now === 'live' || now === 'catchingUp' || now === 'paused';
}

let again: () => void = () => undefined;

/** Tries the server now. */
export function tryNow(): void {
  again();
}

/** Stops what is on screen, or lets it go on. */
export function pause(stop: boolean, client: QueryClient): void {
  set({ pausedAt: stop ? Date.now() : 0 });
  if (!stop) void client.invalidateQueries();
}

const trusted = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): string } } })
  .trustedTypes;

/** Begins to follow; the answer ends it. */
export function follow(client: QueryClient): () => void {
  const url = `${BASE}/api/v1/stream`;
  const hot = asker(client, AGAIN);
  const counted = asker(client, COUNTED);
  const ask = hot.ask;
  let rows: JobRow[] = [];
  let frame = 0;

  const paint = () => {
    frame = 0;
    const told = rows;
    rows = [];
    client.setQueriesData<InfiniteData<JobPage>>({ queryKey: [...keys.jobs, 'rows'] }, (data) =>
      data && told.reduce(patched, data),
    );
  };

  const event = (type: string, data: unknown) => {
    if (type === 'hello') set({ ages: (data as { asOf: Heard['ages'] }).asOf });
    else if (type === 'asof') set({ ages: data as Heard['ages'] });
    if (heard.pausedAt) return;
    if (type === 'live' && 'name' in (data as object)) {
      const row = data as JobRow;
      rows.push(row);
      const of = keys.job({ project: row.project, job: row.name });
      ask([...of, 'live'], [...of, 'runs']);
      counted.ask([...of, 'ledger'], keys.overview, keys.runs, keys.fleet);
      frame ||= requestAnimationFrame(paint);
    } else if (type === 'live') ask(keys.jobs, keys.overview);
    else if (type === 'alert') ask(keys.alerts);
    else if (type === 'journal') ask(...touched(data as Parameters<typeof touched>[0]));
    else if (type === 'resync') {
      set({ catchingUp: true });
      void client.invalidateQueries().finally(() => set({ catchingUp: false }));
    }
  };
  const hear = (told: Told) => {
    if (told.kind === 'event') {
      set({ at: Date.now(), broken: 0, since: 0 });
      event(told.type, told.data);
    } else if (told.kind === 'broken') {
      set({ broken: told.times, againAt: told.againAt, since: heard.since || Date.now() });
    } else void client.invalidateQueries({ queryKey: keys.session });
  };

  const online = () => set({ offline: !navigator.onLine });
  online();
  addEventListener('online', online);
  addEventListener('offline', online);
  const stop = listen(url, hear);
  return () => {
    stop();
    hot.stop();
    counted.stop();
    cancelAnimationFrame(frame);
    removeEventListener('online', online);
    removeEventListener('offline', online);
    heard = NOTHING;
  };
}

/** Asks for things again, each at most once in such a time. */
function asker(client: QueryClient, every: number): { ask: (...all: QueryKey[]) => void; stop: () => void } {
  const waiting = new Map<string, QueryKey>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    const all = [...waiting.values()];
    waiting.clear();
    for (const queryKey of all) void client.invalidateQueries({ queryKey });
  };
  return {
    ask: (...all) => {
      for (const key of all) waiting.set(JSON.stringify(key), key);
      timer ??= setTimeout(flush, every);
    },
    stop: () => clearTimeout(timer),
  };
}

/** Listens by the worker of all tabs; where there is none, by one tab for the others. */
function listen(url: string, hear: (told: Told) => void): () => void {
  if (typeof SharedWorker === 'undefined') {
    const id = onceKey();
    let end = relay(url, id, hear);
    again = () => {
      end();
      end = relay(url, id, hear);
    };
    return () => end();
  }
  policy ??= trusted?.createPolicy('clockwright', { createScriptURL: ours });
  const worker = new SharedWorker(policy?.createScriptURL(workerUrl) ?? workerUrl, { type: 'module', name: BASE });
  const say = (said: FromTab) => worker.port.postMessage(said);
  const here = () => say({ url, visible: !document.hidden });
  worker.port.onmessage = (message: MessageEvent<Told>) => hear(message.data);
  again = () => {
    say('again');
    here();
  };
  here();
  const timer = setInterval(() => {
    if (!document.hidden) here();
  }, HERE);
  const leave = () => say('leave');
  document.addEventListener('visibilitychange', here);
  addEventListener('pagehide', leave);
  return () => {
    leave();
    clearInterval(timer);
    document.removeEventListener('visibilitychange', here);
    removeEventListener('pagehide', leave);
    worker.port.close();
  };
}

let policy: { createScriptURL(url: string): string } | undefined;

/** Only what this server serves is run. */
function ours(url: string): string {
  if (new URL(url, document.baseURI).origin !== location.origin) throw new TypeError(url);
  return url;
}
