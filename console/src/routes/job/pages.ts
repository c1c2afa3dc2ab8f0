/** What is read when a job is gone to. */
export { JobLayout } from './Layout';
export { JobLedger } from '../ledger/Ledger';
export { JobOverview } from './Overview';
export { JobRuns } from './Runs';
export { JobSettings } from './Settings';
export { JobVersions } from './Versions';
export { JobShards } from './shards/Page';
export { JobSchedule } from './schedule/Page';
