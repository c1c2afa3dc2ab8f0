/** Pictures of every page, in both themes and languages, wide and narrow, for people to look at: in `shots/`, with a page that shows them all. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Browser, BrowserContext } from 'playwright-core';
import { type ARun, aRun, seed, type Server, setUp, startBrowser, startServer } from './stage';

const FOLDER = new URL('../shots/', import.meta.url);
const PAGES = [
  ['overview', '/'],
  ['jobs', '/jobs'],
  ['jobs-none', '/jobs?q=nothing%20like%20it'],
  ['job', '/jobs/jobs/breaks'],
  ['job-runs', '/jobs/jobs/breaks/runs'],
  ['job-attempts', '/jobs/jobs/hello/runs?attempts=1'],
  ['job-ledger', '/jobs/jobs/breaks/ledger'],
  ['runs', '/runs'],
  ['runs-failed', '/runs?q=outcome%3Afailed&span=24h'],
  ['job-shards', '/jobs/jobs/hello/shards?whatif=join:2'],
  ['job-schedule', '/jobs/billing/nightly-report/schedule'],
  ['job-settings', '/jobs/billing/nightly-report/settings'],
  ['job-versions', '/jobs/billing/nightly-report/versions'],
  ['job-roll-back', '/jobs/billing/nightly-report/versions?roll=1'],
  ['new-job', '/jobs/new?project=billing'],
  ['bulk', '/jobs/bulk?action=pause&q=project:jobs'],
  ['alerts', '/alerts'],
  ['alerts-silences', '/alerts/silences'],
  ['alerts-rules', '/alerts/rules'],
  ['alerts-channels', '/alerts/channels'],
  ['fleet', '/fleet'],
  ['fleet-hosts', '/fleet?view=hosts'],
  ['health', '/settings/health'],
  ['projects', '/projects'],
  ['project-sync', '/projects/billing/sync'],
  ['audit', '/audit'],
] as const;

let server: Server;
let browser: Browser;
let run: ARun;
let signedIn: Awaited<ReturnType<BrowserContext['storageState']>>;

beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
  const context = await browser.newContext({ locale: 'en-US' });
  const page = await context.newPage();
  await setUp(page, server);
  await seed(page);
  await page.evaluate(() =>
    fetch('/api/v1/projects/billing/jobs/nightly-report', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'if-match': '"v1"' },
      body: JSON.stringify({ settings: { cron: '0 30 2 * * ?', shardingTotalCount: 6 }, reason: 'after the backup' }),
    }),
  );
  await page.getByText(/it failed \d+ times in a row/).waitFor();
  run = await aRun(page);
  signedIn = await context.storageState();
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

const kinds = (['light', 'dark'] as const).flatMap((theme) =>
  (['en', 'zh'] as const).flatMap((language) => ([1440, 390] as const).map((width) => ({ theme, language, width }))),
);
const taken: string[] = [];

it.each(kinds)('$theme, $language, $width', async ({ theme, language, width }) => {
  const size = { width, height: width === 390 ? 844 : 900 };
  const context = await browser.newContext({ viewport: size, storageState: signedIn, timezoneId: 'Europe/Berlin', reducedMotion: 'reduce' });
  await context.addInitScript((look) => localStorage.setItem('clockwright.look', look), JSON.stringify({ theme, language }));
  const page = await context.newPage();
  const shoot = async (name: string) => {
    const file = `${name}-${width}-${theme}${language === 'zh' ? '-zh' : ''}.png`;
    await page.screenshot({ path: new URL(file, FOLDER).pathname });
    taken.push(file);
  };
  for (const [name, path] of [...PAGES, ['fire', run.fire], ['run', run.run]] as const) {
    await page.goto(server.url + path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForLoadState('domcontentloaded');
    await page.locator('[aria-busy=true]').first().waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `${name} is cut off`).toBeLessThanOrEqual(width);
    await shoot(name);
  }
  await page.goto(`${server.url}/jobs/jobs/hello`);
  await page.getByRole('group').getByRole('button').nth(2).click();
  await page.getByRole('dialog').locator('[aria-busy=true]').first().waitFor({ state: 'detached' });
  await shoot('act');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+K');
  await page.getByRole('dialog').waitFor();
  await shoot('palette');
  await context.clearCookies();
  await page.goto(`${server.url}/sign-in`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await shoot('sign-in');
  await context.close();
});

afterAll(() => {
  const rows = taken.map((file) => `<figure><img src="${file}" width="480" loading="lazy"><figcaption>${file}</figcaption></figure>`);
  writeFileSync(new URL('index.html', FOLDER), `<!doctype html><meta charset="utf-8"><style>figure{display:inline-block}</style>${rows.join('\n')}`);
});
