/** What is asked of alerts, silences, rules and channels; and what is done to them. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { body, type Schemas, server } from './client';
import { keys } from './queries';

export type Alert = Schemas['Alert'];
export type Silence = Schemas['Silence'];
export type SilenceAsk = Schemas['SilenceAsk'];
export type Rule = Schemas['Rule'];
export type Channel = Schemas['Channel'];
export type Condition = Schemas['Condition'];

/** How many alerts a page has. */
const ALERTS = 100;

/** Alerts, the newest first: of a project, or of all that one may see; in a state, `open` or `resolved`, or in any. */
export function alerts(state: string | undefined, project: string | undefined) {
  return infiniteQueryOptions({
    queryKey: [...keys.alerts, 'list', state, project],
    queryFn: ({ signal, pageParam }) => {
      const query = { limit: ALERTS, ...(state ? { state } : {}), ...(project ? { project } : {}), ...(pageParam ? { after: pageParam } : {}) };
      return body(server.GET('/api/v1/alerts', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
  });
}

/** How many alerts are open are counted up to. */
export const MANY = 100;

/** How many alerts nobody has taken up, up to {@link MANY}. */
export const firing = queryOptions({
  queryKey: [...keys.alerts, 'firing'],
  queryFn: async ({ signal }) => (await body(server.GET('/api/v1/alerts', { params: { query: { state: 'firing', limit: MANY } }, signal }))).items.length,
});

export function alert(id: string) {
  return queryOptions({
    queryKey: [...keys.alerts, 'one', id],
    queryFn: ({ signal }) => body(server.GET('/api/v1/alerts/{id}', { params: { path: { id } }, signal })),
  });
}

/** Takes an alert up: it is not told again while it is open. */
export function acknowledge(id: string, note: string): Promise<Alert> {
  return body(server.POST('/api/v1/alerts/{id}/ack', { params: { path: { id } }, body: note ? { note } : {} }));
}

/** Gives an alert back: it is told again. */
export function giveBack(id: string): Promise<Alert> {
  return body(server.POST('/api/v1/alerts/{id}/unack', { params: { path: { id } }, body: {} }));
}

export const silences = queryOptions({
  queryKey: [...keys.alerts, 'silences'],
  queryFn: ({ signal }) => body(server.GET('/api/v1/silences', { signal })),
});

export function silence(ask: SilenceAsk): Promise<Silence> {
  return body(server.POST('/api/v1/silences', { body: ask }));
}

const version = (of: { version: number }) => ({ 'If-Match': `"v${of.version}"` });

export async function endSilence(of: Silence): Promise<void> {
  await body(server.DELETE('/api/v1/silences/{id}', { params: { path: { id: of.id }, header: version(of) } }));
}

/** Rules of all projects, or those that a project is judged by. */
export function rules(project: string | undefined) {
  return queryOptions({
    queryKey: [...keys.alerts, 'rules', project],
    queryFn: ({ signal }) =>
      project === undefined
        ? body(server.GET('/api/v1/rules', { signal }))
        : body(server.GET('/api/v1/projects/{project}/rules', { params: { path: { project } }, signal })),
  });
}

/** Lets a rule tell, or tell nothing. All else of it stays. */
export function enableRule(rule: Rule, enabled: boolean): Promise<Rule> {
  const { name, condition, severity, threshold, wait, jobs, channels, id, project } = rule;
  const ask = { name, condition, severity, threshold: threshold ?? null, wait, jobs: jobs ?? null, channels, enabled };
  const header = version(rule);
  return project == null
    ? body(server.PUT('/api/v1/rules/{id}', { params: { path: { id }, header }, body: ask }))
    : body(server.PUT('/api/v1/projects/{project}/rules/{id}', { params: { path: { project, id }, header }, body: ask }));
}

/** Channels of all projects, or those that a project is told by. */
export function channels(project: string | undefined) {
  return queryOptions({
    queryKey: [...keys.alerts, 'channels', project],
    queryFn: ({ signal }) =>
      project === undefined
        ? body(server.GET('/api/v1/channels', { signal }))
        : body(server.GET('/api/v1/projects/{project}/channels', { params: { path: { project } }, signal })),
  });
}

/** Sends a message that says it is a test, and tells what was answered. */
export function testChannel({ id, project }: Channel): Promise<Schemas['Tested']> {
  return project == null
    ? body(server.POST('/api/v1/channels/{id}/test', { params: { path: { id } }, body: {} }))
    : body(server.POST('/api/v1/projects/{project}/channels/{id}/test', { params: { path: { project, id } }, body: {} }));
}
