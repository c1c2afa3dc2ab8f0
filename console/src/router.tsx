/**
 * The addresses of the console. Every state of a page is in its address; what an address has besides is kept and ignored. Pages are read when they are gone to.
 */
import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect,
} from '@tanstack/react-router';
import * as v from 'valibot';
import { BASE } from './api/client';
import { asProblem } from './api/problem';
import { job, session } from './api/queries';
import { ErrorBox } from './parts/States';
import { jobsSearch } from './routes/jobs/search';
import { NotFound } from './routes/NotFound';
import { runsSearch } from './routes/runs/search';
import { Shell } from './shell/Shell';

interface Context {
  client: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: NotFound });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: v.looseObject({ next: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/sign-in/Page'), 'SignInPage'),
});
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('./routes/setup/Pages'), 'FirstPage'),
});
const link = createRoute({
  getParentRoute: () => root,
  path: '/link',
  component: lazyRouteComponent(() => import('./routes/setup/Pages'), 'LinkPage'),
});
const rescue = createRoute({
  getParentRoute: () => root,
  path: '/rescue',
  component: lazyRouteComponent(() => import('./routes/setup/Pages'), 'RescuePage'),
});

/** Everything that needs somebody to be signed in. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  errorComponent: ({ error, reset }) => <ErrorBox error={error} onRetry={reset} />,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.client.query({ ...session, staleTime: 'static' });
    } catch (error) {
      if (!asProblem(error).isOver) throw error;
      throw redirect({ to: '/sign-in', search: { next: location.publicHref } });
    }
  },
});
const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  validateSearch: v.looseObject({ span: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/overview/Page'), 'OverviewPage'),
});
const runs = createRoute({
  getParentRoute: () => shell,
  path: '/runs',
  validateSearch: runsSearch,
  component: lazyRouteComponent(() => import('./routes/runs/Page'), 'RunsPage'),
});
const oneRun = createRoute({
  getParentRoute: () => shell,
  path: '/runs/$id',
  component: lazyRouteComponent(() => import('./routes/runs/One'), 'RunPage'),
});
const fire = createRoute({
  getParentRoute: () => shell,
  path: '/fires/$project/$job/$fire',
  validateSearch: v.looseObject({ trigger: v.optional(v.string()), item: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/fire/Page'), 'FirePage'),
});
const jobs = createRoute({
  getParentRoute: () => shell,
  path: '/jobs',
  validateSearch: jobsSearch,
  component: lazyRouteComponent(() => import('./routes/jobs/Page'), 'JobsPage'),
});
const newJob = createRoute({
  getParentRoute: () => shell,
  path: '/jobs/new',
  validateSearch: v.looseObject({ project: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/new/Page'), 'NewJobPage'),
});
const bulk = createRoute({
  getParentRoute: () => shell,
  path: '/jobs/bulk',
  validateSearch: v.looseObject({
    action: v.optional(v.string()),
    q: v.optional(v.string()),
    jobs: v.optional(v.string()),
    id: v.optional(v.string()),
  }),
  component: lazyRouteComponent(() => import('./routes/bulk/Page'), 'BulkPage'),
});
const oneJob = createRoute({
  getParentRoute: () => shell,
  path: '/jobs/$project/$job',
  loader: ({ context, params }) => void context.client.query(job(params)).catch(() => undefined),
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobLayout'),
});
const overview = createRoute({
  getParentRoute: () => oneJob,
  path: '/',
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobOverview'),
});
const shards = createRoute({
  getParentRoute: () => oneJob,
  path: '/shards',
  validateSearch: v.looseObject({ by: v.optional(v.string()), whatif: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobShards'),
});
const schedule = createRoute({
  getParentRoute: () => oneJob,
  path: '/schedule',
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobSchedule'),
});
const jobRuns = createRoute({
  getParentRoute: () => oneJob,
  path: '/runs',
  validateSearch: runsSearch,
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobRuns'),
});
const jobLedger = createRoute({
  getParentRoute: () => oneJob,
  path: '/ledger',
  validateSearch: v.looseObject({ span: v.optional(v.string()), outcome: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobLedger'),
});
const settings = createRoute({
  getParentRoute: () => oneJob,
  path: '/settings',
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobSettings'),
});
const versions = createRoute({
  getParentRoute: () => oneJob,
  path: '/versions',
  validateSearch: v.looseObject({ a: v.optional(v.string()), b: v.optional(v.string()), roll: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/job/pages'), 'JobVersions'),
});
const fleet = createRoute({
  getParentRoute: () => shell,
  path: '/fleet',
  validateSearch: v.looseObject({ view: v.optional(v.string()), q: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/fleet/Page'), 'FleetPage'),
});
const oneInstance = createRoute({
  getParentRoute: () => shell,
  path: '/fleet/instances/$id',
  component: lazyRouteComponent(() => import('./routes/fleet/Instance'), 'InstancePage'),
});
const oneHost = createRoute({
  getParentRoute: () => shell,
  path: '/fleet/hosts/$project/$ip',
  component: lazyRouteComponent(() => import('./routes/fleet/Host'), 'HostPage'),
});
const ofProject = v.looseObject({ project: v.optional(v.string()) });
const alerts = createRoute({
  getParentRoute: () => shell,
  path: '/alerts',
  component: lazyRouteComponent(() => import('./routes/alerts/pages'), 'AlertsLayout'),
});
const inbox = createRoute({
  getParentRoute: () => alerts,
  path: '/',
  validateSearch: v.looseObject({ state: v.optional(v.string()), project: v.optional(v.string()) }),
  component: lazyRouteComponent(() => import('./routes/alerts/pages'), 'AlertsPage'),
});
const silences = createRoute({
  getParentRoute: () => alerts,
  path: '/silences',
  component: lazyRouteComponent(() => import('./routes/alerts/pages'), 'SilencesPage'),
});
const rules = createRoute({
  getParentRoute: () => alerts,
  path: '/rules',
  validateSearch: ofProject,
  component: lazyRouteComponent(() => import('./routes/alerts/pages'), 'RulesPage'),
});
const channels = createRoute({
  getParentRoute: () => alerts,
  path: '/channels',
  validateSearch: ofProject,
  component: lazyRouteComponent(() => import('./routes/alerts/pages'), 'ChannelsPage'),
});
const oneAlert = createRoute({
  getParentRoute: () => shell,
  path: '/alerts/$id',
  component: lazyRouteComponent(() => import('./routes/alerts/pages'), 'AlertPage'),
});
const health = createRoute({
  getParentRoute: () => shell,
  path: '/settings/health',
  component: lazyRouteComponent(() => import('./routes/health/Page'), 'HealthPage'),
});
const projects = createRoute({
  getParentRoute: () => shell,
  path: '/projects',
  component: lazyRouteComponent(() => import('./routes/projects/Page'), 'ProjectsPage'),
});
const projectSync = createRoute({
  getParentRoute: () => shell,
  path: '/projects/$project/sync',
  component: lazyRouteComponent(() => import('./routes/projects/Sync'), 'ProjectSyncPage'),
});
const audit = createRoute({
  getParentRoute: () => shell,
  path: '/audit',
  validateSearch: ofProject,
  component: lazyRouteComponent(() => import('./routes/audit/Page'), 'AuditPage'),
});

const tree = root.addChildren([
  signIn,
  setup,
  link,
  rescue,
  shell.addChildren([
    home,
    runs,
    oneRun,
    fire,
    jobs,
    newJob,
    bulk,
    oneJob.addChildren([overview, jobRuns, shards, jobLedger, schedule, settings, versions]),
    fleet,
    oneInstance,
    oneHost,
    alerts.addChildren([inbox, silences, rules, channels]),
    oneAlert,
    projects,
    projectSync,
    audit,
    health,
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    basepath: BASE ? new URL(BASE).pathname : '/',
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    scrollRestoration: false,
    // Words as they are: `q=12` is text.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
      const words = new URLSearchParams();
      for (const [name, value] of Object.entries(search)) if (value !== undefined && value !== '') words.set(name, String(value));
      const text = words.toString();
      return text && `?${text}`;
    },
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
