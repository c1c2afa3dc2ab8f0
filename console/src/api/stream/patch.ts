/** What the stream says of rows that are on screen: put in place, in the order in which somebody reads them. Pure. */
import type { InfiniteData, QueryKey } from '@tanstack/react-query';
import type { JobPage, JobRow } from '../queries';
import { keys } from '../queries';

/** Rows with this one in the place of its former self; the same rows when it is not among them. */
export function patched(data: InfiniteData<JobPage>, row: JobRow): InfiniteData<JobPage> {
  const pages = data.pages.map((page) => {
    const index = page.items.findIndex((one) => one.name === row.name && one.project === row.project);
    const before = page.items[index];
    if (!before) return page;
    const items = [...page.items];
    // The stream's rows come without the newest outcomes: those of before stand until the last one is another.
    const outcomes = newest(before, row);
    items[index] = outcomes ? { ...row, outcomes } : row;
    return { ...page, items };
  });
  return pages.some((page, index) => page !== data.pages[index]) ? { ...data, pages } : data;
}

function newest(before: JobRow, row: JobRow): string[] | undefined {
  const known = before.outcomes ?? undefined;
  if (!row.last || row.last.at === before.last?.at) return known;
  return [row.last.outcome, ...(known ?? [])].slice(0, 20);
}

/** What is to be asked again when this was done. */
export function touched(change: { action: string; project?: string | null; job?: string | null }): QueryKey[] {
  const of = change.action.split('.')[0] ?? '';
  const all: QueryKey[] = [keys.audit];
  if (change.project && change.job) all.push(keys.job({ project: change.project, job: change.job }), keys.jobs);
  if (change.project) all.push(keys.holds(change.project), keys.sync(change.project));
  if (of === 'project' || of === 'member' || of === 'job') all.push(keys.projects);
  if (of === 'member') all.push(keys.session);
  if (of === 'hold' || of === 'host') all.push(keys.jobs);
  if (of !== 'session') all.push(keys.overview);
  if (['alert', 'silence', 'rule', 'channel'].includes(of)) all.push(keys.alerts);
  if (of === 'host') all.push(keys.fleet);
  return all;
}
