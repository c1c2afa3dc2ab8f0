/** Who runs the jobs, what is the matter, and how the platform stands: fleet, alerts, health, before a server whose jobs run. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api, fitsEverywhere, openScene, type Server, setUp, violations, Wrongs } from './stage';

let server: Server;
let browser: Browser;
let page: Page;
const wrongs = new Wrongs();

beforeAll(async () => {
  ({ server, browser, page } = await openScene(wrongs, 60_000));
  await setUp(page, server);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const heading = (name: string | RegExp) => page.getByRole('heading', { name, level: 1 });
const row = (name: string | RegExp) => page.getByRole('row').filter({ hasText: name });

it('the process that runs the jobs is found by letters of its id, with its jobs and their items', async () => {
  await page.getByRole('link', { name: 'Fleet' }).first().click();
  await heading('Fleet').waitFor();
  await row('@-@').getByRole('cell', { name: 'Clockwright' }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('/');
  await page.keyboard.type('nothing like it');
  await page.getByText('Nothing matches “nothing like it”').waitFor();
  expect(new URL(page.url()).searchParams.get('q')).toBe('nothing like it');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('@-@');
  await row('@-@').getByRole('link').first().click();
  await heading(/^Instance/).waitFor();
  await row('jobs/hello').getByRole('cell', { name: '0, 1, 2' }).first().waitFor();
  expect(await violations(page)).toEqual([]);
});

it('its host has the process and the jobs', async () => {
  await page.goto(`${server.url}/fleet?view=hosts`);
  await page.getByRole('columnheader', { name: 'disabled in jobs' }).waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByRole('row').nth(1).getByRole('link').click();
  await heading(/^Host/).waitFor();
  await row('breaks').getByText('enabled').waitFor();
  await page.getByRole('link', { name: /@-@/ }).waitFor();
  expect(await violations(page)).toEqual([]);
});

it('what fails again and again is an alert; it is taken up, and given back, by hand', async () => {
  await page.getByRole('link', { name: /^Alerts/ }).first().click();
  // A server that has just begun waits for all to be heard of before it tells that something is the matter.
  await row('fails again and again').getByRole('button', { name: /^Acknowledge/ }).click({ timeout: 180_000 });
  await row('fails again and again').getByText('acknowledged').waitFor();
  expect(await violations(page)).toEqual([]);
  await row('fails again and again').getByRole('link', { name: 'fails again and again' }).click();
  await heading('fails again and again').waitFor();
  await page.getByRole('button', { name: 'Give back' }).click();
  await page.getByLabel('Note').fill('the disk is being changed');
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByText('the disk is being changed').filter({ visible: true }).waitFor();
  const { items } = (await api(page, 'GET', '/api/v1/alerts?state=acked')) as { items: { ack: { note: string } }[] };
  expect(items.map(({ ack }) => ack.note)).toContain('the disk is being changed');
}, 300_000);

it('a silence is made with a reason, and ended', async () => {
  await page.goto(`${server.url}/alerts/silences`);
  await page.getByText('No silences').waitFor();
  await page.getByRole('textbox', { name: 'Jobs' }).fill('br*');
  await page.getByLabel('For').selectOption('4h');
  await page.getByRole('textbox', { name: 'reason' }).fill('maintenance');
  await page.getByRole('button', { name: 'Silence', exact: true }).click();
  await row('maintenance').getByText('br*').waitFor();
  await page.getByText('It is quiet now').waitFor();
  expect(await violations(page)).toEqual([]);
  await row('maintenance').getByRole('button', { name: /^End the silence/ }).click();
  await page.getByText('No silences').waitFor();
});

it('what a silence is refused for is said at its field, and what was typed stays', async () => {
  await page.getByRole('textbox', { name: 'Jobs' }).fill('x'.repeat(101));
  await page.getByRole('textbox', { name: 'reason' }).fill('kept');
  await page.getByRole('button', { name: 'Silence', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'cannot be used' }).waitFor();
  expect(await page.getByRole('textbox', { name: 'reason' }).inputValue()).toBe('kept');
});

it('a rule is turned off, and on again', async () => {
  await page.getByRole('link', { name: 'Rules' }).click();
  await page.getByRole('button', { name: 'Turn off: message not delivered' }).click();
  await page.getByRole('button', { name: 'Turn on: message not delivered' }).waitFor();
  expect(await violations(page)).toEqual([]);
  const rules = (await api(page, 'GET', '/api/v1/rules')) as { condition: string; enabled: boolean }[];
  expect(rules.filter(({ enabled }) => !enabled).map(({ condition }) => condition)).toEqual(['delivery_dead']);
  await page.getByRole('button', { name: 'Turn on: message not delivered' }).click();
  await page.getByRole('button', { name: 'Turn off: message not delivered' }).waitFor();
});

it('a channel is tried, and what came of it is said', async () => {
  await page.getByRole('link', { name: 'Channels' }).click();
  await page.getByText('No channels').waitFor();
  expect(await violations(page)).toEqual([]);
  // No name ends so, so nobody is there.
  await api(page, 'POST', '/api/v1/channels', { name: 'ops', kind: 'webhook', url: 'https://nobody.invalid/' });
  await page.reload();
  await page.getByRole('button', { name: 'Send a test to ops' }).click();
  await page.getByText('It was not taken').waitFor();
  expect(await violations(page)).toEqual([]);
});

it('the health of the platform names the servers, and what is not as it should be with what to do', async () => {
  await page.getByRole('link', { name: 'Health' }).click();
  await heading('Health').waitFor();
  await page.getByRole('columnheader', { name: 'does the chores' }).waitFor();
  await page.getByRole('columnheader', { name: 'what to do' }).or(page.getByText('Nothing was found')).waitFor();
  expect(await violations(page)).toEqual([]);
});

it('who is not an administrator is not led to what they may not see', async () => {
  const { link } = (await api(page, 'POST', '/api/v1/users', { login: 'vera', name: 'Vera' })) as { link: { url: string } };
  const other = await browser.newContext({ locale: 'en-US' });
  const hers = await other.newPage();
  await hers.goto(`${server.url}/link${new URL(link.url).hash}`);
  await hers.getByLabel('Password').fill('a walk through eight gardens');
  await hers.getByRole('button', { name: 'Enter' }).click();
  await hers.getByText('An administrator gives you a role on one.').waitFor();
  expect(await hers.getByRole('link', { name: 'Health' }).count()).toBe(0);
  await hers.goto(`${server.url}/settings/health`);
  await hers.getByText('This needs a permission that you do not have here').first().waitFor();
  await hers.goto(`${server.url}/alerts/channels`);
  await hers.getByText('Channels are seen by administrators of a project').waitFor();
  await other.close();
});

it('all of it is there in Chinese, dark, and on a telephone, where the rest of the places is a menu', async () => {
  await fitsEverywhere(page, server, [
    ['/fleet', '机群'],
    ['/fleet?view=hosts', '禁用的作业'],
    ['/alerts?state=all', '连续失败'],
    ['/alerts/silences', '新建静默'],
    ['/alerts/rules', '消息未送达'],
    ['/alerts/channels', '发送测试'],
    ['/settings/health', '控制服务器'],
  ]);
  await page.getByRole('button', { name: '更多' }).click();
  await page.getByRole('menuitem', { name: '机群' }).click();
  await heading('机群').waitFor();
});

it('nothing was refused by the policy of content, failed, or was asked elsewhere', () => {
  expect(wrongs.all).toEqual([]);
});
