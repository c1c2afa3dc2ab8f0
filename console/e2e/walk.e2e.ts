import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api, HOSTILE, openScene, PASSWORD, seed, type Server, violations, Wrongs } from './stage';

let server: Server;
let browser: Browser;
let page: Page;
const wrongs = new Wrongs();

beforeAll(async () => {
  ({ server, browser, page } = await openScene(wrongs));
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const grid = () => page.getByRole('grid', { name: 'Jobs' });
const row = (name: string) => page.getByRole('row').filter({ hasText: name });

it('the link of the first start makes the first administrator, and is in no address afterwards', async () => {
  await page.goto(server.setup);
  await page.getByLabel('Login').fill('lina');
  expect(page.url()).not.toContain('#');
  await page.getByLabel('Password').fill('short');
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByRole('alert').filter({ hasText: 'cannot be used' }).waitFor();
  expect(await page.getByLabel('Login').inputValue()).toBe('lina');
  expect(await violations(page)).toEqual([]);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
});

it('a job that was made by the interface is listed without a reload', async () => {
  await page.getByRole('link', { name: /^Jobs/ }).first().click();
  await row('hello').waitFor();
  await seed(page);
  await row('nightly-report').waitFor();
  await row('nightly-report').getByText('Every day at 02:00').waitFor();
  expect(await page.locator('b[onmouseover], img[src=x], svg[onload]').count()).toBe(0);
  await row(HOSTILE).waitFor();
});

it('runs are seen as they end', async () => {
  await row('breaks').getByText('failures in a row').filter({ visible: true }).waitFor();
  await row('hello').getByRole('img', { name: /succeeded/ }).waitFor();
  expect(await violations(page)).toEqual([]);
});

it('words of the search stand in the address, and come back with it', async () => {
  const bar = page.getByRole('combobox', { name: 'Search jobs' });
  await page.keyboard.press('/');
  await bar.pressSequentially('own');
  await page.getByRole('option', { name: 'owner:' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await bar.pressSequentially('na ');
  await page.getByRole('button', { name: 'Drop owner:na' }).waitFor();
  await expect.poll(async () => grid().getAttribute('aria-rowcount')).toBe('2');
  expect(new URL(page.url()).searchParams.get('q')).toBe('owner:na');
  await page.reload();
  await page.getByRole('button', { name: 'Drop owner:na' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.press('Backspace');
  await expect.poll(async () => bar.inputValue()).toBe('owner:na');
  await page.keyboard.press('Control+A');
  await bar.pressSequentially('stat:x ');
  await page.getByText('before the colon stands one of').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await bar.pressSequentially('streak:>=0 -tag:"a,b",c ');
  await page.getByRole('button', { name: 'Drop -tag:"a,b",c' }).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect.poll(async () => grid().getAttribute('aria-rowcount')).toBe('6');
});

it('a facet narrows, and the way back widens again', async () => {
  await page.getByRole('button', { name: /^No instance/ }).click();
  await expect.poll(async () => grid().getAttribute('aria-rowcount')).toBe('4');
  expect(new URL(page.url()).searchParams.get('q')).toBe('status:crashed');
  await page.goBack();
  await expect.poll(async () => grid().getAttribute('aria-rowcount')).toBe('6');
});

it('rows are gone through by keys, and opened', async () => {
  await page.getByRole('row').nth(1).focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Home');
  const first = await page.locator('[role=row]:focus').textContent();
  await page.keyboard.press('j');
  await expect.poll(async () => page.locator('[role=row]:focus').textContent()).not.toBe(first);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Versions' }).waitFor();
  await page.goBack();
  await grid().waitFor();
});

it('every address opens cold, with nothing on it that is refused or cut off from some', async () => {
  const job = `/jobs/billing/${encodeURIComponent(HOSTILE)}`;
  for (const [path, seen] of [
    ['/jobs?q=billing&sort=-name&unknown=kept', 'Jobs'],
    ['/jobs/billing/nightly-report', 'Outcomes'],
    ['/jobs/billing/nightly-report/settings', 'Jobs file'],
    ['/jobs/billing/nightly-report/versions?a=1&b=1', 'What differs'],
    [job, 'Outcomes'],
    [`${job}/settings`, 'Jobs file'],
    [`${job}/versions`, 'What differs'],
    [`${job}/shards?whatif=count:9&by=host`, 'Who has what'],
    [`${job}/schedule`, 'When it fires'],
    [`/jobs/bulk?action=disable&jobs=billing/${encodeURIComponent(encodeURIComponent(HOSTILE))}`, 'Disable 1 job'],
    ['/jobs/bulk', 'Nothing is selected'],
    ['/jobs/new?project=billing', 'When it fires'],
    ['/projects/billing/sync', 'How it agrees'],
    ['/jobs/billing/gone', 'There is no billing/gone'],
    ['/projects', 'Projects'],
    ['/audit', 'Audit'],
    ['/audit?project=billing', 'Audit'],
    ['/nowhere/at/all', 'There is nothing at this address'],
  ] as const) {
    await page.goto(server.url + path);
    await page.getByText(seen).first().waitFor();
    expect(await violations(page), path).toEqual([]);
    expect(await page.getByRole('heading', { level: 1 }).count(), path).toBe(1);
  }
});

it('a change by somebody else is seen, as a version and as what differs', async () => {
  await page.goto(`${server.url}/jobs/billing/nightly-report/versions`);
  await page.getByText('the first one').waitFor();
  const changed = await page.evaluate(async () => {
    const answer = await fetch('/api/v1/projects/billing/jobs/nightly-report', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'if-match': '"v1"' },
      body: JSON.stringify({ settings: { cron: '0 30 2 * * ?' }, reason: 'later' }),
    });
    return answer.status;
  });
  expect(changed).toBe(200);
  await page.getByRole('row').filter({ hasText: 'later' }).waitFor();
  await page.getByRole('row').filter({ hasText: '0 0 2 * * ?' }).filter({ hasText: '0 30 2 * * ?' }).waitFor();
});

it('language and theme change at once, stay after a reload, and nothing is left in the other language', async () => {
  await page.goto(`${server.url}/jobs`);
  await grid().waitFor();
  await page.getByRole('button', { name: '中文' }).click();
  await page.getByRole('heading', { name: '作业', level: 1 }).waitFor();
  const before = await page.evaluate(() => document.documentElement.dataset['theme']);
  await page.getByRole('button', { name: before === 'dark' ? '浅色主题' : '深色主题' }).click();
  await page.reload();
  await page.getByRole('heading', { name: '作业', level: 1 }).waitFor();
  expect(await page.evaluate(() => document.documentElement.dataset['theme'])).not.toBe(before);
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('zh');
  for (const path of ['/jobs', '/jobs/jobs/breaks', '/jobs/jobs/hello/versions', '/projects', '/audit']) {
    await page.goto(server.url + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByRole('row').nth(1).waitFor();
    expect(await violations(page), path).toEqual([]);
  }
  await page.goto(`${server.url}/jobs/jobs/hello/settings`);
  await page.getByText('作业文件').first().waitFor();
  expect(await violations(page)).toEqual([]);
  await page.goto(`${server.url}/audit`);
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
});

it('the palette finds a job by some letters and goes there', async () => {
  await page.keyboard.press('Control+K');
  await page.getByRole('dialog').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.type('settle');
  await page.getByRole('menuitem', { name: /settle-ledgers/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /settle-ledgers/, level: 1 }).waitFor();
});

it('a session that is over is begun again over the page, which stays as it is', async () => {
  await page.goto(`${server.url}/jobs`);
  const bar = page.getByRole('combobox', { name: 'Search jobs' });
  await bar.fill('half typed');
  await api(page, 'DELETE', '/api/v1/session');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('The session is over').waitFor();
  await dialog.getByLabel('Login').fill('lina');
  await dialog.getByLabel('Password').fill(PASSWORD);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.waitFor({ state: 'detached' });
  expect(await bar.inputValue()).toBe('half typed');
});

it('whoever is not signed in signs in, and comes to where they wanted to go', async () => {
  const other = await browser.newContext({ locale: 'zh-CN' });
  const away = await other.newPage();
  await away.goto(`${server.url}/jobs/billing/nightly-report/versions?a=1&b=2`);
  await away.getByRole('heading', { name: '登录' }).waitFor();
  expect(await violations(away)).toEqual([]);
  await away.getByLabel('登录名').fill('lina');
  await away.getByLabel('密码').fill('not this one at all');
  await away.getByRole('button', { name: '登录' }).click();
  await away.getByText('登录名与密码不匹配').waitFor();
  await away.getByLabel('密码').fill(PASSWORD);
  await away.getByRole('button', { name: '登录' }).click();
  await away.getByText('0 30 2 * * ?').first().waitFor();
  expect(away.url()).toContain('a=1&b=2');
  await other.close();
});

it('a server that went away and came back is said, loses nothing that was typed, and heals by itself', async () => {
  await page.goto(`${server.url}/jobs`);
  await row('hello').waitFor();
  const bar = page.getByRole('combobox', { name: 'Search jobs' });
  await bar.fill('hel');
  await expect.poll(async () => grid().getAttribute('aria-rowcount')).toBe('2');
  await page.getByRole('button', { name: /^Live/ }).waitFor();
  const back = await server.crash();
  await page.getByText('Showing what was known at').waitFor({ timeout: 90_000 });
  expect(await violations(page)).toEqual([]);
  await row('hello').waitFor();
  await back();
  await page.getByText('Showing what was known at').waitFor({ state: 'detached', timeout: 90_000 });
  await page.getByRole('button', { name: /^Live/ }).waitFor();
  expect(await bar.inputValue()).toBe('hel');
});

it('a telephone has everything too, without scrolling sideways', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const path of ['/jobs', '/jobs/billing/nightly-report', '/jobs/billing/nightly-report/versions', '/projects', '/audit']) {
    await page.goto(server.url + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390);
    expect(await violations(page), path).toEqual([]);
  }
});

it('nothing was refused by the policy of content, failed, or was asked elsewhere', () => {
  expect(wrongs.all).toEqual([]);
});
