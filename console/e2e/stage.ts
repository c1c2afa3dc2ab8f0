/**
 * A real server that runs jobs, and a real browser before it. The program is what `CLOCKWRIGHT` names, else the one of the build folder; the browser is Debian's
 * Chromium, or what `CHROMIUM` names.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const PROGRAM = process.env['CLOCKWRIGHT'] ?? new URL('../../target/debug/clockwright', import.meta.url).pathname;
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Jobs that run while the walk goes on: one that ends well, one that fails. */
const JOBS = `jobs:
  hello:
    elasticJobType: SCRIPT
    cron: 0/2 * * * * ?
    shardingTotalCount: 3
    props: {script.command.line: "echo hello"}
  breaks:
    elasticJobType: SCRIPT
    cron: 0/2 * * * * ?
    props: {script.command.line: "false"}
`;

export interface Server {
  url: string;
  /** The link for the first administrator. */
  setup: string;
  /** Makes a link by which somebody comes in for an hour. */
  rescue(): Promise<string>;
  /** Asks the program something about what this server has, past the server. */
  run(...args: string[]): Promise<string>;
  /** Starts an instance of its own process, which serves jobs of the server; the answer is its end, as a crash. */
  instance(name: string, ...jobs: string[]): () => Promise<void>;
  /** Ends it, with all that it has. */
  stop(): Promise<void>;
  /** Ends it as a crash would; the answer starts it again where it was. */
  crash(): Promise<() => Promise<void>>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('no port is free');
  return address.port;
}

/** Starts a server in a folder of its own. It has its jobs in the same process, unless it lies below a path of its host. */
export async function startServer(prefix = ''): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'clockwright-console-'));
  const file = join(folder, 'jobs.yaml');
  writeFileSync(file, JOBS);
  const listen = `127.0.0.1:${await freePort()}`;
  const url = `http://${listen}${prefix}`;
  const command = prefix ? ['server', '--public-url', url] : ['dev', '-f', file, '--instances', '1'];
  const start = () =>
    spawn(PROGRAM, [...command, '--data', join(folder, 'data'), '--listen', listen], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  let child = start();
  const setup = await said(child, /https?:\S+\/setup#\S+/);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  const data = ['--data', join(folder, 'data')];
  const others: ChildProcess[] = [];
  return {
    url,
    setup,
    async run(...args) {
      return (await promisify(execFile)(PROGRAM, [...args, ...data], { cwd: folder })).stdout;
    },
    instance(name, ...jobs) {
      const served = jobs.flatMap((job) => ['--job', job]);
      const where = ['--instance-ip', `10.9.8.${others.length + 1}`, '--instance-id', name, '--session-timeout', '2s'];
      const other = spawn(PROGRAM, ['node', ...served, '--allow-command', '/bin/', ...where, ...data], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
      others.push(other);
      other.stderr.resume();
      return async () => {
        other.kill('SIGKILL');
        if (other.exitCode === null && other.signalCode === null) await once(other, 'exit');
      };
    },
    async rescue() {
      const { stdout } = await promisify(execFile)(PROGRAM, ['user', 'rescue', '--data', join(folder, 'data')], { cwd: folder });
      return `${url}/rescue${new URL(stdout.trim()).hash}`;
    },
    async stop() {
      for (const other of others) other.kill('SIGKILL');
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
    async crash() {
      await end('SIGKILL');
      return async () => {
        child = start();
        await said(child, /the server is at|serving at/);
      };
    },
  };
}

/** The first words of its that are such; all that it said if it ends before. */
async function said(child: ChildProcess, words: RegExp): Promise<string> {
  const lines: string[] = [];
  if (!child.stderr) throw new Error('it has no stderr');
  for await (const line of createInterface(child.stderr)) {
    lines.push(line);
    const found = words.exec(line);
    if (found) {
      child.stderr.resume();
      return found[0];
    }
  }
  throw new Error(`${PROGRAM} ended:\n${lines.join('\n')}`);
}

export async function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb'] });
}

/** What went wrong in a page: what the policy of content refused, what failed, what was written to the console as an error. */
export class Wrongs {
  readonly all: string[] = [];

  async watch(context: BrowserContext): Promise<void> {
    await context.exposeFunction('__refused', (what: string) => this.all.push(`refused by the policy: ${what}`));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        const told = (globalThis as unknown as { __refused: (what: string) => void }).__refused;
        told(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
      });
    });
    context.on('weberror', (error) => this.all.push(`failed: ${error.error().stack ?? String(error.error())}`));
    context.on('console', (message) => {
      // The browser tells of every answer that refuses; the walk asks for some.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) this.all.push(message.text());
    });
    context.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol.startsWith('http') && hostname !== '127.0.0.1') this.all.push(`asked elsewhere: ${request.url()}`);
    });
  }
}

/** A server, and a page of it that is wide, speaks English, and is in Berlin. */
export interface Scene {
  server: Server;
  browser: Browser;
  context: BrowserContext;
  page: Page;
}

/** Opens both; `wrongs` hears of all that goes wrong in the page, which waits `patience` milliseconds for what is to come. */
export async function openScene(wrongs: Wrongs, patience = 30_000): Promise<Scene> {
  const [server, browser] = await Promise.all([startServer(), startBrowser()]);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-US', timezoneId: 'Europe/Berlin' });
  context.setDefaultTimeout(patience);
  await wrongs.watch(context);
  return { server, browser, context, page: await context.newPage() };
}

/** Asks the interface as the page's own account. */
export async function api(page: Page, method: string, path: string, body?: unknown): Promise<unknown> {
  return page.evaluate(
    async ([way, where, what]) => {
      const headers = { 'content-type': 'application/json', 'clockwright-request': '1' };
      const answer = await fetch(where, { method: way, headers, ...(what === undefined ? {} : { body: what }) });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${way} ${where}: ${answer.status} ${text}`);
      return text ? (JSON.parse(text) as unknown) : undefined;
    },
    [method, new URL(path, page.url()).href, body === undefined ? undefined : JSON.stringify(body)] as const,
  );
}

/** What axe finds on the page. */
export async function violations(on: Page): Promise<string[]> {
  // The policy of content lets no script in that is not the server's: this one comes by the debugger, as a reader's extension would.
  await on.evaluate(axe.source);
  return on.evaluate(async () => {
    const { axe: found } = globalThis as unknown as { axe: typeof axe };
    const { violations: all } = await found.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return all.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3).join(' ')}`);
  });
}

/** These pages in Chinese and dark, wide and on a telephone, each once it shows the words beside it: nothing scrolls sideways, and axe finds nothing. */
export async function fitsEverywhere(page: Page, server: Server, pages: readonly (readonly [path: string, seen: string])[]): Promise<void> {
  await page.evaluate(() => localStorage.setItem('clockwright.look', JSON.stringify({ language: 'zh', theme: 'dark' })));
  for (const [path, seen] of pages) {
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 844 });
      await page.goto(server.url + path);
      await page.getByText(seen).filter({ visible: true }).first().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(width);
      expect(await violations(page), `${path} ${width}`).toEqual([]);
    }
  }
}

/** Becomes the first administrator by the link. */
export async function setUp(page: Page, server: Server): Promise<void> {
  await page.goto(server.setup);
  await page.getByLabel('Login').fill('lina');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
}

export const PASSWORD = 'a walk through seven gardens';

/** A project and its jobs, made by the interface. One job's name and words are as hostile as names may be. */
export async function seed(page: Page): Promise<void> {
  await api(page, 'POST', '/api/v1/projects', { name: 'billing', title: 'Bills & <b>ledgers</b>' });
  const make = (name: string, cron: string, more: object = {}) =>
    api(page, 'POST', '/api/v1/projects/billing/jobs', {
      name,
      settings: { elasticJobType: 'SCRIPT', cron, shardingTotalCount: 4, props: { 'script.command.line': 'echo hi' } },
      reason: 'the first one',
      ...more,
    });
  await make('nightly-report', '0 0 2 * * ?', { tags: ['nightly', 'money'], owner: 'Li Na' });
  await make('settle-ledgers', '0 0/15 * * * ?');
  await make(HOSTILE, '0 30 1 ? * MON-FRI', { reason: '<img src=x onerror=alert(1)>', tags: ['<svg/onload=alert(1)>'] });
}

/** Where a run is seen that has ended: its fire, and itself. */
export interface ARun {
  fire: string;
  run: string;
}

/** A run of a job that fails. */
export async function aRun(page: Page): Promise<ARun> {
  const found = (await api(page, 'GET', '/api/v1/projects/jobs/jobs/breaks/runs?outcome=failed&limit=1')) as { items: { fire: string; run: string }[] };
  const [first] = found.items;
  if (!first) throw new Error('nothing has failed yet');
  return { fire: `/fires/jobs/breaks/${first.fire}`, run: `/runs/${first.run}` };
}

export const HOSTILE = '日报 "><b onmouseover=alert(1)>x';
