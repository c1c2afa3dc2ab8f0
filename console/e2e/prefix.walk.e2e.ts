/** A server below a path of its host, as a proxy serves it: every address of the console lies there, and none elsewhere. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { api, PASSWORD, type Server, startBrowser, startServer, Wrongs } from './stage';

let server: Server;
let browser: Browser;
let page: Page;
const wrongs = new Wrongs();
const asked: string[] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([startServer('/tools/jobs'), startBrowser()]);
  const context = await browser.newContext({ locale: 'en-US' });
  await wrongs.watch(context);
  context.on('request', (request) => asked.push(new URL(request.url()).pathname));
  page = await context.newPage();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

it('is set up, lives, goes back to where somebody wanted to go, and lets somebody in who has nothing but a link', async () => {
  await page.goto(server.setup);
  await page.getByLabel('Login').fill('lina');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByText('From empty to running').waitFor();
  await page.getByText('clockwright project create').waitFor();
  await page.getByRole('link', { name: 'Jobs' }).first().click();
  await page.getByText('No jobs yet').waitFor();
  await page.getByRole('button', { name: /^Live/ }).waitFor();
  await page.getByRole('link', { name: 'Projects' }).first().click();
  await page.getByRole('heading', { name: 'Projects', level: 1 }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/tools/jobs/projects');
  await api(page, 'DELETE', '/tools/jobs/api/v1/session');
  await page.goto(`${server.url}/audit`);
  await page.getByLabel('Login').fill('lina');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/tools/jobs/audit');
  await api(page, 'DELETE', '/tools/jobs/api/v1/session');
  await page.goto(await server.rescue());
  await page.getByRole('heading', { name: 'Administrator for an hour' }).waitFor();
  expect(await page.getByLabel('Password').count()).toBe(0);
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  expect(await api(page, 'GET', '/tools/jobs/api/v1/session')).toMatchObject({ role: 'admin', person: { login: 'rescue' } });
  expect(asked.filter((path) => !path.startsWith('/tools/jobs'))).toEqual([]);
  expect(wrongs.all).toEqual([]);
});
