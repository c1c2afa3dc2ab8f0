/** The settings that the form has, by what they are about; a test compares keys and defaults with the server's own page. What says when is the schedule's. */
export type Kind = 'text' | 'number' | 'duration' | 'choice' | 'switch' | 'pairs';

export interface Spec {
  key: string;
  kind: Kind;
  /** As the page of the jobs file has it; empty for none. */
  default: string;
  choices?: readonly string[];
}

const field = (key: string, kind: Kind, usual = '', choices?: readonly string[]): Spec => ({ key, kind, default: usual, ...(choices ? { choices } : {}) });

export const GROUPS = {
  runs: [
    field('elasticJobType', 'choice', '', ['SCRIPT', 'HTTP', 'SIMPLE', 'DATAFLOW']),
    field('elasticJobClass', 'text'),
    field('props', 'pairs', '{}'),
    field('jobParameter', 'text'),
    field('description', 'text'),
  ],
  sharding: [
    field('shardingTotalCount', 'number', '1'),
    field('shardingItemParameters', 'text'),
    field('jobShardingStrategyType', 'choice', 'AVG_ALLOCATION', ['AVG_ALLOCATION', 'ODEVITY', 'ROUND_ROBIN', 'MINIMAL_MOVES']),
    field('staticSharding', 'switch', 'false'),
  ],
  failure: [
    field('failover', 'switch', 'false'),
    field('retry.maxAttempts', 'number', '1'),
    field('retry.backoff', 'duration', '1s'),
    field('retry.maxBackoff', 'duration', '1m'),
    field('jobErrorHandlerType', 'choice', 'LOG', ['LOG', 'THROW', 'IGNORE']),
  ],
  limits: [
    field('timeout', 'duration'),
    field('exclusive', 'choice', 'strict', ['strict', 'best_effort']),
    field('maxTimeDiffSeconds', 'number', '-1'),
  ],
  compat: [
    field('monitorExecution', 'switch', 'true'),
    field('reconcileIntervalMinutes', 'number', '10'),
    field('monitorPort', 'number', '-1'),
    field('disabled', 'switch', 'false'),
    field('overwrite', 'switch', 'false'),
  ],
} as const satisfies Record<string, readonly Spec[]>;

export type Group = keyof typeof GROUPS;

/** The settings of the schedule, which have a page of their own. */
export const SCHEDULE: readonly Spec[] = [
  field('cron', 'text'),
  field('every', 'duration'),
  field('once', 'text'),
  field('unixCron', 'text'),
  field('timeZone', 'text'),
  field('misfire', 'choice', 'true', ['fire_once', 'skip', 'fire_all']),
  field('misfireCap', 'number', '100'),
  field('misfireWindow', 'duration', '1d'),
];

/** Accepted in a file and used by nobody. */
export const UNUSED = [
  'label',
  'jobBootstrapBeanName',
  'jobExecutorServiceHandlerType',
  'jobExecutorThreadPoolSizeProviderType',
  'jobListenerTypes',
];

/** What is typed, as a setting: a number where it is one, nothing for the default. What is wrong stays text, for the server to say so. */
export function read(spec: Spec, text: string): unknown {
  if (text === '') return undefined;
  if (spec.kind === 'number' && /^-?\d+$/.test(text)) return Number(text);
  if (spec.kind === 'switch') return text === 'true';
  return text;
}

/** Whoever may not say what a job runs may not change these. */
export const isCode = (key: string) => key === 'elasticJobType' || key === 'elasticJobClass' || key === 'props';
