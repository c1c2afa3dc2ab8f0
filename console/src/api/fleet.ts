/** What is asked of the processes that run jobs, and of their hosts. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { body, type Schemas, server } from './client';
import { keys } from './queries';

export type FleetInstance = Schemas['FleetInstance'];
export type FleetHost = Schemas['FleetHost'];

/** How many rows a page has. */
const ROWS = 100;

const asked = (q: string, after: string) => ({ limit: ROWS, ...(q ? { q } : {}), ...(after ? { after } : {}) });

/** Processes of all projects that one may see, by id. */
export function instances(q: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.fleet, 'instances', q],
    queryFn: ({ signal, pageParam }) => body(server.GET('/api/v1/fleet/instances', { params: { query: asked(q, pageParam) }, signal })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
  });
}

/** A process, with its jobs. */
export function instance(id: string) {
  return queryOptions({
    queryKey: [...keys.fleet, 'instance', id],
    queryFn: ({ signal }) => body(server.GET('/api/v1/fleet/instances/{id}', { params: { path: { id } }, signal })),
  });
}

/** Hosts of all projects that one may see, by address. */
export function hosts(q: string) {
  return infiniteQueryOptions({
    queryKey: [...keys.fleet, 'hosts', q],
    queryFn: ({ signal, pageParam }) => body(server.GET('/api/v1/fleet/hosts', { params: { query: asked(q, pageParam) }, signal })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
  });
}

/** One host of a project, with what is on it. */
export function host(project: string, ip: string) {
  return queryOptions({
    queryKey: [...keys.fleet, 'host', project, ip],
    queryFn: ({ signal }) => body(server.GET('/api/v1/projects/{project}/hosts/{ip}', { params: { path: { project, ip } }, signal })),
  });
}
