/**
 * What pages ask for, each with its key. Keys begin with what a change of it is told by, so that the stream knows what to ask again.
 */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { body, type Schemas, server } from './client';

export type JobRow = Schemas['JobRow'];
export type JobPage = Schemas['PageOfJobRow'];
export type Definition = Schemas['Definition'];
export type Project = Schemas['Project'];
export type Version = Schemas['Version'];
export type JournalRecord = Schemas['JournalRecord'];
export type Run = Schemas['Run'];

/** A job: its project and its name. */
export interface JobName {
  project: string;
  job: string;
}

export const keys = {
  session: ['session'],
  jobs: ['jobs'],
  job: ({ project, job }: JobName) => ['job', project, job],
  projects: ['projects'],
  audit: ['audit'],
  system: ['system'],
} as const;

/** Who is signed in; a {@link Problem} that `isOver` when nobody is. */
export const session = queryOptions({
  queryKey: keys.session,
  queryFn: ({ signal }) => body(server.GET('/api/v1/session', { signal })),
});

export const system = queryOptions({
  queryKey: keys.system,
  queryFn: ({ signal }) => body(server.GET('/api/v1/system', { signal })),
});

export const projects = queryOptions({
  queryKey: keys.projects,
  queryFn: ({ signal }) => body(server.GET('/api/v1/projects', { signal })),
});

/** How many jobs a page has. */
const JOBS = 100;

export function jobs(q: string, sort: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.jobs, 'rows', q, sort],
    queryFn: ({ signal, pageParam }) => {
      const after = pageParam ? { after: pageParam } : {};
      const query = { limit: JOBS, sort, include: 'outcomes', ...(q ? { q } : {}), ...after };
      return body(server.GET('/api/v1/jobs', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page: JobPage) => page.next,
    // Rows are replaced one by one, by what the stream says of them.
    structuralSharing: false,
  });
}

/** How many jobs a search finds. */
export function jobCount(q: string) {
  return queryOptions({
    queryKey: [...keys.jobs, 'count', q],
    queryFn: async ({ signal }) => {
      const query = { limit: 1, ...(q ? { q } : {}) };
      return (await body(server.GET('/api/v1/jobs', { params: { query }, signal }))).count ?? 0;
    },
  });
}

export function search(text: string) {
  return queryOptions({
    queryKey: [...keys.jobs, 'search', text],
    queryFn: ({ signal }) => body(server.GET('/api/v1/search', { params: { query: { q: text } }, signal })),
    enabled: text.trim() !== '',
  });
}

export function job(name: JobName) {
  return queryOptions({
    queryKey: [...keys.job(name), 'definition'],
    queryFn: ({ signal }) => body(server.GET('/api/v1/projects/{project}/jobs/{job}', { params: { path: name }, signal })),
  });
}

export function live(name: JobName) {
  return queryOptions({
    queryKey: [...keys.job(name), 'live'],
    queryFn: ({ signal }) =>
      body(server.GET('/api/v1/projects/{project}/jobs/{job}/live', { params: { path: name }, signal })),
  });
}

export function runs(name: JobName, limit: number) {
  return queryOptions({
    queryKey: [...keys.job(name), 'runs', limit],
    queryFn: ({ signal }) =>
      body(server.GET('/api/v1/projects/{project}/jobs/{job}/runs', { params: { path: name, query: { limit } }, signal })),
  });
}

export function nextFires(cron: string, zone: string, n: number) {
  return queryOptions({
    queryKey: ['next', cron, zone, n],
    queryFn: ({ signal }) =>
      body(server.GET('/api/v1/schedules/next', { params: { query: { cron, n, ...(zone ? { zone } : {}) } }, signal })),
    // Time goes on: the first of them passes.
    staleTime: 30_000,
  });
}

export function yaml(name: JobName) {
  return queryOptions({
    queryKey: [...keys.job(name), 'yaml'],
    queryFn: async ({ signal }) => {
      const asked = server.GET('/api/v1/projects/{project}/jobs/{job}/yaml', {
        params: { path: name },
        parseAs: 'text',
        signal,
      });
      return (await asked).data as unknown as string;
    },
  });
}

export function versions(name: JobName) {
  return infiniteQueryOptions({
    queryKey: [...keys.job(name), 'versions'],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: 50, ...(pageParam ? { after: pageParam } : {}) };
      return body(server.GET('/api/v1/projects/{project}/jobs/{job}/versions', { params: { path: name, query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
  });
}

export function differences(name: JobName, n: number, m: number) {
  return queryOptions({
    queryKey: [...keys.job(name), 'diff', n, m],
    queryFn: ({ signal }) =>
      body(
        server.GET('/api/v1/projects/{project}/jobs/{job}/versions/{n}/diff/{m}', { params: { path: { ...name, n: String(n), m: String(m) } }, signal }),
      ),
    staleTime: Infinity,
  });
}

/** The journal: of a project, or of everything. */
export function journal(project: string | undefined, filter: { action?: string }) {
  return infiniteQueryOptions({
    queryKey: [...keys.audit, project ?? null, filter],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: 100, ...filter, ...(pageParam ? { after: pageParam } : {}) };
      return project === undefined
        ? body(server.GET('/api/v1/journal', { params: { query }, signal }))
        : body(server.GET('/api/v1/projects/{project}/journal', { params: { path: { project }, query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
  });
}
