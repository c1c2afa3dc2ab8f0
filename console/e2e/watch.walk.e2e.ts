/** What was due and what became of it: the overview, runs, a fire, a ledger, before a server whose jobs run. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api, type ARun, aRun, fitsEverywhere, openScene, seed, type Server, setUp, violations, Wrongs } from './stage';

let server: Server;
let browser: Browser;
let page: Page;
let failed: ARun;
const wrongs = new Wrongs();

beforeAll(async () => {
  ({ server, browser, page } = await openScene(wrongs));
  await setUp(page, server);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const heading = (name: string | RegExp) => page.getByRole('heading', { name, level: 1 });
const balance = () => page.getByRole('group', { name: 'What was due, and what became of it' });

/** The numbers of the balance on the page, by their words. */
async function told(): Promise<Record<string, number>> {
  const text = (await balance().innerText()).replaceAll(',', '');
  return Object.fromEntries([...text.matchAll(/(\d+)\s*([a-z]+)/g)].map(([, number, word]) => [word ?? '', Number(number)]));
}

/** Whether what was due is the sum of all the others. */
function balances({ due = -1, ...terms }: Record<string, number>): boolean {
  return due === Object.values(terms).reduce((sum, term) => sum + term, 0);
}

it('the first page tells what was due and what became of it, as a sum that is right, and who needs somebody', async () => {
  await heading('Overview').waitFor();
  await page.getByText(/it failed \d+ times in a row/).waitFor();
  await expect.poll(async () => (await told())['failed']).toBeGreaterThan(2);
  expect(balances(await told())).toBe(true);
  await page.getByText('Next 24 hours').waitFor();
  await page.getByRole('img', { name: /^Items due in each minute/ }).waitFor();
  expect(await violations(page)).toEqual([]);
});

it('a term of the balance leads to exactly such rows', async () => {
  await balance().getByRole('link', { name: /failed/ }).click();
  await heading('Runs').waitFor();
  await page.getByRole('button', { name: 'Drop outcome:failed' }).waitFor();
  await page.getByRole('cell', { name: 'failed', exact: true }).first().waitFor();
  expect(await page.getByRole('cell', { name: 'succeeded', exact: true }).count()).toBe(0);
  const address = new URL(page.url());
  expect(address.searchParams.get('q')).toBe('outcome:failed');
  expect(address.searchParams.get('span')).toBe('24h');
  expect(await violations(page)).toEqual([]);
});

it('runs are found by words, and by their outcome', async () => {
  await page.getByRole('button', { name: 'Clear' }).click();
  const bar = page.getByRole('combobox', { name: 'Search runs' });
  await bar.pressSequentially('source:sch');
  await page.getByRole('option', { name: 'source:schedule' }).waitFor();
  await bar.pressSequentially('edule job:hello ');
  await page.getByRole('cell', { name: 'jobs/hello' }).first().waitFor();
  await expect.poll(async () => page.getByRole('cell', { name: 'jobs/breaks' }).count()).toBe(0);
  await bar.pressSequentially('streak:>2 ');
  await page.getByText('streak narrows jobs, and runs are looked for').waitFor();
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Delete');
  await page.getByRole('cell', { name: 'jobs/hello' }).first().waitFor();
  await page.getByRole('button', { name: 'Last night' }).or(page.getByRole('radio', { name: 'Last night' })).click();
  await expect.poll(() => new URL(page.url()).searchParams.get('span')).toBe('night');
});

it('a fire shows its items over time, who ran them, and why one failed; a run is found by its id', async () => {
  failed = await aRun(page);
  await page.goto(server.url + failed.fire);
  await heading(/^Fire of/).waitFor();
  await page.getByRole('heading', { name: 'Item 0' }).waitFor();
  await page.getByText('exit code 1').first().waitFor();
  await page.getByText('Where the time went').waitFor();
  const { item = -1, ...terms } = await told();
  expect(balances({ ...terms, due: item })).toBe(true);
  expect(await violations(page)).toEqual([]);
  await page.getByRole('link', { name: failed.run.slice('/runs/'.length) }).click();
  await heading(/^Run/).waitFor();
  await page.getByText('exit code 1').first().waitFor();
  await page.getByText('TASK_ERROR').first().waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('link', { name: /breaks/ }).click();
  await heading(/^Fire of/).waitFor();
});

it('an item is chosen by keys, stands in the address, and is there again after a reload', async () => {
  const found = (await api(page, 'GET', '/api/v1/projects/jobs/jobs/hello/runs?outcome=succeeded&limit=1')) as { items: { fire: string }[] };
  await page.goto(`${server.url}/fires/jobs/hello/${found.items[0]?.fire}`);
  await page.getByRole('heading', { name: 'Item 0' }).waitFor();
  await page.getByRole('listitem').getByRole('link', { name: /^item 2/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Item 2' }).waitFor();
  expect(new URL(page.url()).searchParams.get('item')).toBe('2');
  await page.reload();
  await page.getByRole('heading', { name: 'Item 2' }).waitFor();
});

it('the ledger of a job has each instant with its items, what was done to the job between them, and is narrowed by its balance', async () => {
  await page.goto(`${server.url}/jobs/jobs/breaks`);
  await page.getByRole('link', { name: 'Ledger' }).click();
  await page.getByText('failed: exit code 1').first().waitFor();
  await page.getByText(/made version 1/).waitFor();
  expect(balances(await told())).toBe(true);
  expect(await violations(page)).toEqual([]);
  await balance().getByRole('link', { name: /failed/ }).click();
  await expect.poll(async () => page.getByText(/made version 1/).count()).toBe(0);
  await page.getByText('failed: exit code 1').first().waitFor();
  await page.goBack();
  await page.getByText(/made version 1/).waitFor();
});

it('the ledgers of all jobs are the overview', async () => {
  // Nothing more succeeds or fails of what is paused; what is due meanwhile is skipped.
  for (const job of ['hello', 'breaks']) await api(page, 'POST', `/api/v1/projects/jobs/jobs/${job}/pause`, { reason: 'to count' });
  const at = async (path: string, term: string) => {
    await page.goto(server.url + path);
    await balance().waitFor();
    return (await told())[term] ?? 0;
  };
  await expect
    .poll(
      async () => {
        const [all, ledger] = [await at('/?span=24h', 'succeeded'), await at('/jobs/jobs/hello/ledger?span=24h', 'succeeded')];
        return all > 0 && all === ledger;
      },
      { timeout: 60_000 },
    )
    .toBe(true);
  await expect
    .poll(async () => (await at('/?span=24h', 'failed')) === (await at('/jobs/jobs/breaks/ledger?span=24h', 'failed')), { timeout: 60_000 })
    .toBe(true);
  for (const job of ['hello', 'breaks']) await api(page, 'POST', `/api/v1/projects/jobs/jobs/${job}/resume`, {});
});

it('attempts of a job are listed, each with its run', async () => {
  await page.goto(`${server.url}/jobs/jobs/hello/runs`);
  await page.getByRole('radio', { name: 'Attempts' }).click();
  await page.getByRole('columnheader', { name: 'host' }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('row').nth(1).getByRole('link').click();
  await heading(/^Run/).waitFor();
});

it('what is not there is said', async () => {
  for (const [path, seen] of [
    ['/fires/jobs/hello/tomorrow', 'There is no such fire'],
    ['/fires/jobs/hello/7', 'There is no such thing'],
    ['/runs/no-such-run', 'There is no such thing'],
    ['/runs?q=nothing-like-it', 'Nothing matches'],
    ['/jobs/jobs/hello/ledger?outcome=cancelled', 'No such row'],
  ] as const) {
    await page.goto(server.url + path);
    await page.getByText(seen).first().waitFor();
    expect(await page.getByRole('heading', { level: 1 }).count(), path).toBe(1);
    expect(await violations(page), path).toEqual([]);
  }
});

it('all of it is there in Chinese, dark, and on a telephone', async () => {
  await seed(page);
  await fitsEverywhere(page, server, [
    ['/', '需要处理'],
    ['/runs', '运行'],
    [failed.fire, '时间去向'],
    [failed.run, '触发经过的状态'],
    ['/jobs/jobs/hello/ledger', '已轧平'],
    ['/jobs/jobs/hello/runs?attempts=1', '主机'],
  ]);
});

it('nothing was refused by the policy of content, failed, or was asked elsewhere', () => {
  expect(wrongs.all).toEqual([]);
});
