/** What is done with jobs: made, triggered, drained, changed, rolled back, repaired; and what is seen when an instance is killed. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api, openScene, PASSWORD, type Server, setUp, violations, Wrongs } from './stage';

let server: Server;
let browser: Browser;
let context: BrowserContext;
let page: Page;
const wrongs = new Wrongs();

const JOB = '/api/v1/projects/jobs/jobs/fresh';

beforeAll(async () => {
  ({ server, browser, context, page } = await openScene(wrongs));
  // A message goes by itself after ten seconds: here it stays until it was read, however slow the machine is.
  await context.addInitScript(() => {
    const usual = globalThis.setTimeout;
    globalThis.setTimeout = ((act: () => void, ms?: number) => (ms === 10_000 ? 0 : usual(act, ms))) as typeof setTimeout;
  });
  await setUp(page, server);
  await page.goto(`${server.url}/jobs`);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const go = (tab = '') => page.goto(`${server.url}/jobs/jobs/fresh${tab}`);
const sheet = () => page.getByRole('dialog');
/** The message of an act, with the server's word; it is dismissed. */
const told = async (title: string, word: string) => {
  const message = page.getByRole('group', { name: title, exact: true });
  await message.getByText(word).waitFor();
  await message.getByRole('button', { name: 'Dismiss' }).click();
  await message.waitFor({ state: 'detached' });
};
const acts = (name: string | RegExp) => page.getByRole('group', { name: 'What can be done' }).getByRole('button', { name });
/** Changes something past the page, as somebody else would. */
const change = (path: string, version: number, what: object) =>
  page.evaluate(
    async ([where, mark, text]) => {
      const headers = { 'content-type': 'application/json', 'if-match': mark, 'clockwright-request': '1' };
      return (await fetch(where, { method: 'PATCH', headers, body: text })).status;
    },
    [path, `"v${version}"`, JSON.stringify(what)] as const,
  );
const field = (key: string) => page.locator(`[data-setting="${key}"]`).locator('input, select').first();

it('a job is made in a form that says what is wrong where it is, and fires as soon as somebody serves it', async () => {
  await page.getByRole('link', { name: 'New job' }).click();
  await page.getByRole('heading', { name: 'New job', level: 1 }).waitFor();
  await page.getByLabel('Name', { exact: true }).first().fill('fresh');
  await page.getByLabel('Quartz cron').fill('0 0/75 * * * ?');
  await page.locator('mark').waitFor();
  await page.getByLabel('Quartz cron').fill('0/2 * * * * ?');
  await page.getByText('Every 2 seconds').waitFor();
  await page.getByText('每2秒').waitFor();
  await field('shardingTotalCount').fill('many');
  await page.getByRole('button', { name: 'Make the job' }).click();
  await page.getByRole('alert').getByText('What was sent cannot be used').waitFor();
  expect(await violations(page)).toEqual([]);
  // What was typed is there after a reload too.
  await page.reload();
  await expect.poll(async () => page.getByLabel('Name', { exact: true }).first().inputValue()).toBe('fresh');
  await field('shardingTotalCount').fill('4');
  await page.getByLabel(/^Value of script.command.line/).fill('/bin/echo fresh');
  await page.getByLabel('Reason').fill('to see it fire');
  await page.getByRole('button', { name: 'Make the job' }).click();
  await page.getByRole('heading', { name: /fresh/, level: 1 }).waitFor();
  server.instance('first', 'fresh');
  await page.getByRole('row').filter({ hasText: 'succeeded' }).first().waitFor({ timeout: 90_000 });
});

it('a drain is asked why, told as done, and taken back by resume', async () => {
  await acts(/^Drain/).click();
  await sheet().getByRole('heading', { name: 'Drain jobs/fresh' }).waitFor();
  await sheet().getByText(/entr(y|ies) of the registry/).waitFor();
  expect(await violations(page)).toEqual([]);
  await sheet().getByLabel('Reason').fill('the disk is swapped');
  await sheet().getByRole('button', { name: 'Drain jobs/fresh' }).click();
  await told('Drain jobs/fresh', 'Drained: jobs/fresh');
  await page.getByText('the disk is swapped').first().waitFor();
  await acts(/^Resume/).click();
  await told('Resume jobs/fresh', 'Resumed: jobs/fresh');
  await acts(/^Pause/).waitFor();
});

it('a pause by key is undone from its message', async () => {
  await page.getByRole('heading', { level: 1 }).click();
  await page.keyboard.press('b');
  await sheet().getByLabel('Reason').fill('a look at it');
  await page.keyboard.press('Enter');
  await acts(/^Resume/).waitFor();
  await page.getByRole('group', { name: 'Pause jobs/fresh' }).getByRole('button', { name: 'Undo' }).click();
  await told('Resume jobs/fresh', 'Resumed: jobs/fresh');
});

it('another schedule is saved as the next version, and a trigger fires each item once, however often it is clicked', async () => {
  await go('/schedule');
  await page.getByLabel('Quartz cron').fill('0 0 3 1 1 ?');
  await page.getByText('What this change does').waitFor();
  await page.getByLabel('Reason').fill('once a year is enough');
  await page.getByRole('button', { name: 'Save as version 2' }).click();
  await page.getByText('version 2 by').waitFor();
  // The instance has the new schedule, and nothing of the old one runs.
  const isIdle = async () => {
    const { nextFireAt, items } = (await api(page, 'GET', `${JOB}/live`)) as { nextFireAt?: string; items: { running: boolean }[] };
    return Date.parse(nextFireAt ?? '') > Date.now() + 3_600_000 && items.every((item) => !item.running);
  };
  await expect.poll(isIdle, { timeout: 60_000 }).toBe(true);
  await acts(/^Trigger/).click();
  await sheet().getByRole('button', { name: 'Trigger jobs/fresh' }).dblclick();
  await told('Trigger jobs/fresh', 'Triggered: jobs/fresh');
  await page.getByRole('navigation', { name: 'Job', exact: true }).getByRole('link', { name: 'Overview' }).click();
  await expect.poll(async () => page.getByRole('row').filter({ hasText: 'by hand' }).count(), { timeout: 30_000 }).toBe(4);
});

it('an item is disabled from its row, and enabled again', async () => {
  await go('/shards');
  const row = page.getByRole('row').filter({ has: page.getByRole('button', { name: 'What can be done with item 2' }) });
  await row.getByRole('button', { name: 'What can be done with item 2' }).click();
  await page.getByRole('menuitem', { name: 'Disable…' }).click();
  await sheet().getByLabel('Reason').fill('its table is locked');
  await sheet().getByRole('button', { name: 'Disable item 2 of jobs/fresh' }).click();
  await told('Disable item 2 of jobs/fresh', 'Disabled: item 2 of jobs/fresh');
  await row.getByText('disabled').waitFor();
  await row.getByRole('button', { name: 'What can be done with item 2' }).click();
  await page.getByRole('menuitem', { name: 'Enable' }).click();
  await row.getByText('disabled').waitFor({ state: 'detached' });
});

it('what would move is told before, and items of an instance that is killed move without a reload', async () => {
  const killSecond = server.instance('second', 'fresh');
  const head = (name: RegExp) => page.getByRole('columnheader', { name });
  await head(/10\.9\.8\.2/).waitFor({ timeout: 60_000 });
  // The plan is made anew at the next fire, or now.
  await page.getByRole('button', { name: 'Rebalance…' }).first().click();
  await sheet().getByRole('button', { name: 'Rebalance jobs/fresh' }).click();
  await head(/10\.9\.8\.2.*2 items/).waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: /What if 10\.9\.8\.2/ }).click();
  await page.getByText('2 of 4 items would move').waitFor();
  expect(await page.getByText('would get').count()).toBe(2);
  expect(new URL(page.url()).searchParams.get('whatif')).toMatch(/^leave:10\.9\.8\.2/);
  expect(await violations(page)).toEqual([]);
  await page.reload();
  await page.getByText('2 of 4 items would move').waitFor();
  await killSecond();
  await expect.poll(async () => page.getByRole('columnheader', { name: /10\.9\.8\.2.*2 items/ }).count(), { timeout: 60_000 }).toBe(0);
  await head(/10\.9\.8\.1.*4 items/).waitFor({ timeout: 60_000 });
});

it('a version is gone back to, after it was shown what that changes', async () => {
  await go('/versions');
  await page.getByRole('button', { name: 'Roll back to version 1' }).click();
  await sheet().getByRole('cell', { name: '0/2 * * * * ?' }).waitFor();
  await sheet().getByRole('button', { name: 'Roll back to version 1' }).click();
  await sheet().getByText('It needs a reason').waitFor();
  await sheet().getByLabel('Reason').fill('once a year was not enough');
  await sheet().getByRole('button', { name: 'Roll back to version 1' }).click();
  await page.getByRole('row').filter({ hasText: 'once a year was not enough' }).waitFor();
});

it('what somebody else saves meanwhile costs nothing that was typed', async () => {
  await go('/settings');
  await field('timeout').fill('5m');
  await page.getByLabel('Reason').fill('it hung');
  expect(await change(JOB, 3, { settings: { failover: true }, reason: 'faster' })).toBe(200);
  await page.getByText('Version 4 was saved by').waitFor();
  expect(await field('timeout').inputValue()).toBe('5m');
  expect(await page.getByLabel('Reason').inputValue()).toBe('it hung');
  await page.getByRole('button', { name: 'Put my changes on 4' }).click();
  await page.getByRole('button', { name: 'Save as version 5' }).click();
  await page.getByText('version 5 by').waitFor();
  expect(await api(page, 'GET', JOB)).toMatchObject({ settings: { timeout: '5m', failover: true } });
});

it('what was written past the server is shown, and put back', async () => {
  const { version } = (await api(page, 'GET', '/api/v1/projects/jobs')) as { version: number };
  expect(await change('/api/v1/projects/jobs', version, { policy: { settings: 'report', holds: 'keep' } })).toBe(200);
  await server.run('job', 'set', 'fresh', '--description', 'written past the server', '--yes');
  await go('/settings');
  await page.getByRole('cell', { name: 'written past the server' }).first().waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Put back what the database says' }).click();
  await page.getByRole('button', { name: 'Put back what the database says' }).waitFor({ state: 'detached' });
  await page.goto(`${server.url}/projects/jobs/sync`);
  await page.getByRole('link', { name: 'fresh' }).first().waitFor();
  expect(await violations(page)).toEqual([]);
});

it('many jobs are paused after a look, and only what was changed is taken back', async () => {
  await page.goto(`${server.url}/jobs`);
  await page.getByLabel('Select jobs/fresh').check();
  await page.getByLabel('Select jobs/hello').check();
  await page.getByRole('button', { name: 'Pause…' }).click();
  await page.getByRole('heading', { name: 'Pause 2 jobs', level: 1 }).waitFor();
  await page.getByText('2 would be done, 0 refused').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByLabel('Reason').fill('the network is worked on');
  await page.getByRole('button', { name: 'Pause 2 jobs' }).click();
  await page.getByText('2 of 2 done').waitFor();
  expect(new URL(page.url()).searchParams.get('id')).toBeTruthy();
  await page.reload();
  await page.getByRole('button', { name: 'Undo…' }).click();
  await sheet().getByLabel('Reason').fill('the network is back');
  await sheet().getByRole('button', { name: 'Resume 2 jobs' }).click();
  await page.getByText('the network is back').waitFor();
  await go();
  await acts(/^Pause/).waitFor();
});

it('the palette does what the page can', async () => {
  await page.keyboard.press('Control+K');
  await page.keyboard.type('>rebal');
  await page.getByRole('menuitem', { name: /Rebalance/ }).click();
  await sheet().getByRole('heading', { name: 'Rebalance jobs/fresh' }).waitFor();
  await page.keyboard.press('Escape');
  await sheet().waitFor({ state: 'detached' });
});

it('each role is shown what it may do, and nothing else', async () => {
  for (const [role, shown, hidden] of [
    ['viewer', [], []],
    ['operator', ['Trigger…', 'Pause…'], ['Remove…']],
    ['developer', ['Trigger…'], []],
  ] as const) {
    const invited = (await api(page, 'POST', '/api/v1/users', { login: `a-${role}`, role })) as { link: { url: string } };
    const other = await browser.newContext({ locale: 'en-US' });
    const theirs = await other.newPage();
    const { pathname, hash } = new URL(invited.link.url);
    await theirs.goto(server.url + pathname + hash);
    await theirs.getByLabel('Password').fill(PASSWORD);
    await theirs.getByRole('button', { name: 'Enter' }).click();
    await theirs.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    await theirs.goto(`${server.url}/jobs`);
    await theirs.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor();
    expect(await theirs.getByRole('link', { name: 'New job' }).count(), role).toBe(role === 'developer' ? 1 : 0);
    await theirs.goto(`${server.url}/jobs/jobs/fresh/settings`);
    await theirs.getByRole('button', { name: 'Copy' }).waitFor();
    for (const name of shown) await theirs.getByRole('button', { name }).waitFor();
    if (role === 'viewer') expect(await theirs.getByRole('group', { name: 'What can be done' }).count()).toBe(0);
    else {
      await theirs.getByRole('button', { name: 'More' }).last().click();
      await theirs.getByRole('menuitem', { name: 'Rebalance…' }).waitFor();
    }
    for (const name of hidden) expect(await theirs.getByRole('menuitem', { name }).count(), role).toBe(0);
    expect(await theirs.locator('[data-setting]').count() > 0, role).toBe(role === 'developer');
    await other.close();
  }
});

it('a telephone has all of it too, without scrolling sideways', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of ['/jobs/jobs/fresh', '/jobs/jobs/fresh/shards', '/jobs/jobs/fresh/schedule', '/jobs/jobs/fresh/settings', '/jobs/new', '/projects/jobs/sync']) {
    await page.goto(server.url + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.locator('[aria-busy=true]').first().waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390);
    expect(await violations(page), path).toEqual([]);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
});

it('a job is removed only by whoever writes its name', async () => {
  await go('/shards');
  await page.getByRole('button', { name: /^What can be done on 10\.9\.8\.1/ }).click();
  await page.getByRole('menuitem', { name: 'Shut down…' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: /^Shut down 10\.9\.8\.1/ }).click();
  await told('Shut down 10.9.8.1@-@first of jobs/fresh', 'Shut down: 10.9.8.1@-@first of jobs/fresh');
  await expect.poll(async () => page.getByRole('columnheader', { name: /10\.9\.8\.1.* items/ }).count(), { timeout: 60_000 }).toBe(0);
  await go();
  await page.getByRole('group', { name: 'What can be done' }).getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  const dialog = page.getByRole('alertdialog');
  const button = dialog.getByRole('button', { name: 'Remove jobs/fresh' });
  expect(await button.isDisabled()).toBe(true);
  await dialog.getByLabel('Type fresh to confirm').fill('fresh');
  expect(await violations(page)).toEqual([]);
  await dialog.getByLabel('Reason').fill('nobody needs it');
  await button.click();
  await told('Remove jobs/fresh', 'Removed: jobs/fresh');
});

it('nothing was refused by the policy of content, failed, or was asked elsewhere', () => {
  expect(wrongs.all).toEqual([]);
});
