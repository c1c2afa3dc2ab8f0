/**
 * What somebody may: asked of verbs, never of the names of roles. The server says one's role on each project; here stands what each verb needs at
 * least, and a test compares it with the server's own page of permissions.
 */
import type { Schemas } from './client';

export type Role = Schemas['Role'];
export type Session = Schemas['Session'];

export const ROLES: readonly Role[] = ['viewer', 'operator', 'developer', 'projectAdmin', 'admin'];

/** The least role that comes with a verb. */
export const LEAST = {
  'project.read': 'viewer',
  'job.read': 'viewer',
  'history.read': 'viewer',
  'sync.read': 'viewer',
  'alert.read': 'viewer',
  'job.operate': 'operator',
  'sync.run': 'operator',
  'alert.act': 'operator',
  'audit.read': 'operator',
  'job.write': 'developer',
  'job.remove': 'developer',
  'sync.adopt': 'developer',
  'alert.write': 'developer',
  'project.write': 'projectAdmin',
  'job.code': 'projectAdmin',
  'channel.read': 'projectAdmin',
  'channel.write': 'projectAdmin',
  'project.create': 'admin',
  'audit.all': 'admin',
  'alert.all': 'admin',
  'system.read': 'admin',
} as const satisfies Record<string, Role>;

export type Verb = keyof typeof LEAST;

/** May they, on this project, or everywhere? */
export function can(session: Session | undefined, verb: Verb, project?: string): boolean {
  if (!session) return false;
  const rank = (role: Role | null | undefined) => (role ? ROLES.indexOf(role) : -1);
  const here = project === undefined ? -1 : rank(session.projects[project]);
  return Math.max(rank(session.role), here) >= rank(LEAST[verb]);
}

/** May they, on any project? */
export function canAnywhere(session: Session | undefined, verb: Verb): boolean {
  return can(session, verb) || Object.keys(session?.projects ?? {}).some((project) => can(session, verb, project));
}
