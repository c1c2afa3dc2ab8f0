/** What is asked of the past and of what comes: the overview, runs, fires, ledgers. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { body, type Schemas, server } from './client';
import { type JobName, keys } from './queries';

export type Overview = Schemas['Overview'];
export type Attention = Schemas['Attention'];
export type FirePage = Schemas['FirePage'];
export type FireItem = Schemas['FireItem'];
export type Attempt = Schemas['Attempt'];
export type Ledger = Schemas['Ledger'];
export type Unsettled = Schemas['Unsettled'];

const iso = (ms: number) => new Date(ms).toISOString();

/** A span that ends now: its name, which stands in the key, and when it begins, which is another instant each time it is asked for. */
export interface Since {
  name: string;
  begin: () => number;
}

const from = (since: Since | undefined) => (since ? { from: iso(since.begin()) } : {});

/** How everything stands, and how what was due since then ended. */
export function overview(since: Since) {
  return queryOptions({
    queryKey: [...keys.overview, 'all', since.name],
    queryFn: ({ signal }) => body(server.GET('/api/v1/overview', { params: { query: from(since) }, signal })),
  });
}

/** A minute passes, and what comes begins with the next. */
const MINUTE = 60_000;

/** How much is due in each minute of the next day. */
export const upcoming = queryOptions({
  queryKey: [...keys.overview, 'upcoming'],
  queryFn: ({ signal }) => body(server.GET('/api/v1/upcoming', { params: { query: { by: 'minute' } }, signal })),
  refetchInterval: MINUTE,
});

/** Which jobs fire next. */
export function upcomingJobs(limit: number) {
  return queryOptions({
    queryKey: [...keys.overview, 'next', limit],
    queryFn: ({ signal }) => body(server.GET('/api/v1/upcoming/list', { params: { query: { limit } }, signal })),
    refetchInterval: MINUTE,
  });
}

/** How many rows a page of runs has. */
const RUNS = 100;

export interface RunsAsk {
  q: string;
  since: Since | undefined;
}

/** Outcomes, the newest first: of a job, or of all that one may see. */
export function runList(name: JobName | undefined, { q, since }: RunsAsk) {
  return infiniteQueryOptions({
    queryKey: name ? [...keys.job(name), 'runs', 'list', q, since?.name] : [...keys.runs, q, since?.name],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: RUNS, ...(q ? { q } : {}), ...from(since), ...(pageParam ? { after: pageParam } : {}) };
      return name
        ? body(server.GET('/api/v1/projects/{project}/jobs/{job}/runs', { params: { path: name, query }, signal }))
        : body(server.GET('/api/v1/runs', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
  });
}

/** Attempts at a job, those of Elastic-Job's instances too, the newest first. */
export function attempts(name: JobName, since: Since | undefined) {
  return infiniteQueryOptions({
    queryKey: [...keys.job(name), 'runs', 'attempts', since?.name],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: RUNS, ...from(since), ...(pageParam ? { after: pageParam } : {}) };
      return body(server.GET('/api/v1/projects/{project}/jobs/{job}/attempts', { params: { path: name, query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
  });
}

/** All that is known of one run. */
export function run(id: string) {
  return queryOptions({
    queryKey: [...keys.runs, 'one', id],
    queryFn: ({ signal }) => body(server.GET('/api/v1/runs/{id}', { params: { path: { id } }, signal })),
  });
}

/** How many items a page of a fire has. */
const ITEMS = 200;

/** One fire of a job, with its items. */
export function fire(name: JobName, at: number, trigger: string | undefined) {
  return infiniteQueryOptions({
    queryKey: [...keys.job(name), 'runs', 'fire', at, trigger],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: ITEMS, ...(trigger ? { trigger } : {}), ...(pageParam === undefined ? {} : { after: pageParam }) };
      const path = { ...name, at: String(at) };
      return body(server.GET('/api/v1/projects/{project}/jobs/{job}/fires/{at}', { params: { path, query }, signal }));
    },
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page: FirePage) => page.next ?? undefined,
  });
}

/** A part of a span: from where to where it is asked for, milliseconds. */
interface Part {
  from: number;
  to: number;
}

/** About how many outcomes a page of a ledger has. */
const OUTCOMES = 1_000;

/** Every due instant of a job since then with its one outcome, and those that have none. Oldest first: an answer that ends early is gone on with. */
export function ledger(name: JobName, since: Since) {
  return infiniteQueryOptions({
    queryKey: [...keys.job(name), 'ledger', since.name],
    queryFn: async ({ signal, pageParam }) => {
      const asked = pageParam ?? { from: since.begin(), to: Date.now() };
      const query = { limit: OUTCOMES, from: iso(asked.from), to: iso(asked.to) };
      const page = await body(
        server.GET('/api/v1/projects/{project}/jobs/{job}/ledger', { params: { path: name, query }, signal }),
      );
      return { ...page, asked };
    },
    initialPageParam: undefined as Part | undefined,
    getNextPageParam: ({ asked, to }) => {
      const ended = Date.parse(to);
      return ended < asked.to && ended > asked.from ? { from: ended, to: asked.to } : undefined;
    },
  });
}

/** How many changes around a job are shown at once. */
const CHANGES = 200;

/** Who came and went around a job, and who held it. */
export function changes(name: JobName, since: Since) {
  return queryOptions({
    queryKey: [...keys.job(name), 'ledger', 'changes', since.name],
    queryFn: ({ signal }) => {
      const query = { limit: CHANGES, ...from(since) };
      return body(server.GET('/api/v1/projects/{project}/jobs/{job}/changes', { params: { path: name, query }, signal }));
    },
  });
}

/** What could not be kept of a project's history. */
export function losses(project: string, since: Since) {
  return queryOptions({
    queryKey: ['losses', project, since.name],
    queryFn: ({ signal }) =>
      body(server.GET('/api/v1/projects/{project}/losses', { params: { path: { project }, query: from(since) }, signal })),
  });
}
