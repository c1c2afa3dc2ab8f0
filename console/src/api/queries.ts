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

/** What a job is set to, by the keys of a jobs file. */
export type Settings = Record<string, unknown>;

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
  holds: (project: string) => ['holds', project],
  sync: (project: string) => ['sync', project],
  audit: ['audit'],
  overview: ['overview'],
  runs: ['runs'],
  fleet: ['fleet'],
  alerts: ['alerts'],
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

/** What is not as it should be, the worst first. */
export const findings = queryOptions({
  queryKey: [...keys.system, 'findings'],
  queryFn: ({ signal }) => body(server.GET('/api/v1/system/doctor', { signal })),
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

/** What stands still in a project by somebody's wish. */
export function holds(project: string) {
  return queryOptions({
    queryKey: keys.holds(project),
    queryFn: ({ signal }) => body(server.GET('/api/v1/projects/{project}/holds', { params: { path: { project } }, signal })),
  });
}

/** Where a job's items would be if somebody left or came. It is asked anew when the job's items move. */
export function whatIf(name: JobName, ask: Schemas['WhatIfAsk']) {
  return queryOptions({
    queryKey: [...keys.job(name), 'live', 'what-if', ask],
    queryFn: ({ signal }) =>
      body(server.POST('/api/v1/projects/{project}/jobs/{job}/what-if', { params: { path: name }, body: ask, signal })),
    retry: false,
  });
}

/** What other settings of a job would change. */
export function preview(name: JobName, settings: Settings) {
  return queryOptions({
    queryKey: [...keys.job(name), 'live', 'preview', settings],
    queryFn: ({ signal }) =>
      body(server.POST('/api/v1/projects/{project}/jobs/{job}/preview', { params: { path: name }, body: { settings }, signal })),
    gcTime: 60_000,
    retry: false,
  });
}

/** One version, with its settings. */
export function version(name: JobName, n: number) {
  return queryOptions({
    queryKey: [...keys.job(name), 'version', n],
    queryFn: ({ signal }) =>
      body(server.GET('/api/v1/projects/{project}/jobs/{job}/versions/{n}', { params: { path: { ...name, n: String(n) } }, signal })),
    staleTime: Infinity,
  });
}

/** How the registry agrees with a job, looked at now. */
export function jobSync(name: JobName) {
  return queryOptions({
    queryKey: [...keys.job(name), 'sync'],
    queryFn: ({ signal }) => body(server.GET('/api/v1/projects/{project}/jobs/{job}/sync', { params: { path: name }, signal })),
    // It is a look into the registry: what the page is told of the job says when to look again.
    refetchOnWindowFocus: false,
  });
}

/** How the registry agrees with all jobs of a project. */
export function projectSync(project: string) {
  return queryOptions({
    queryKey: [...keys.sync(project), 'state'],
    queryFn: ({ signal }) => body(server.GET('/api/v1/projects/{project}/sync', { params: { path: { project } }, signal })),
    refetchOnWindowFocus: false,
  });
}

/** Jobs that the registry has and the database has not. */
export function unmanaged(project: string) {
  return queryOptions({
    queryKey: [...keys.sync(project), 'unmanaged'],
    queryFn: ({ signal }) => body(server.GET('/api/v1/projects/{project}/unmanaged', { params: { path: { project } }, signal })),
  });
}

/** What others wrote into the registry, of a project or of one of its jobs. */
export function drift(project: string, job?: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.sync(project), 'drift', job ?? null],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: 20, ...(job ? { job } : {}), ...(pageParam ? { after: pageParam } : {}) };
      return body(server.GET('/api/v1/projects/{project}/drift', { params: { path: { project }, query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
  });
}

/** What would be done with many jobs. */
export function bulkPlan(action: Schemas['Action'], select: Schemas['Select']) {
  return queryOptions({
    queryKey: [...keys.jobs, 'plan', action, select],
    queryFn: ({ signal }) => body(server.POST('/api/v1/bulk', { body: { action, select, dryRun: true, reason: '' }, signal })),
    // It looks at each of them: once, and again when somebody asks for it.
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    retry: false,
  });
}

/** How far an operation on many jobs is. */
export function bulkOperation(id: string) {
  return queryOptions({
    queryKey: [...keys.jobs, 'operation', id],
    queryFn: ({ signal }) => body(server.GET('/api/v1/operations/{id}', { params: { path: { id } }, signal })),
  });
}

/** How far an operation on a job is. */
export function operation(name: JobName, id: string) {
  return queryOptions({
    queryKey: [...keys.job(name), 'operation', id],
    queryFn: ({ signal }) => body(server.GET('/api/v1/operations/{id}', { params: { path: { id } }, signal })),
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

/** What a schedule would be that somebody is writing. */
export function schedulePreview(cron: string, zone: string) {
  return queryOptions({
    queryKey: ['schedule', cron, zone],
    queryFn: ({ signal }) => body(server.POST('/api/v1/schedules/preview', { body: { cron, ...(zone ? { zone } : {}) }, signal })),
    // Time goes on: the first of its instants passes.
    staleTime: 30_000,
    retry: false,
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
