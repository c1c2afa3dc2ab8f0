/**
 * What can be done with a job, its hosts, its instances and its items: one row an act. The page of a job, its shards and the palette read this table,
 * so an act has one weight, one permission and one set of words wherever it is met.
 */
import type { Verb } from '../api/can';
import { body, type Schemas, server } from '../api/client';
import type { JobName } from '../api/queries';
import type { Shape } from '../parts/Sprite';

export type Operation = Schemas['Operation'];

/**
 * How much stands before an act: `once`: it is taken back as easily as it is done; `sheet`: a reason and what it would do; `dialog`: it cannot be
 * taken back.
 */
export type Weight = 'once' | 'sheet' | 'dialog';

/** What an act is done with. */
export interface Subject extends JobName {
  /** One of its hosts alone. */
  host?: string;
  /** One of its instances alone, by its id. */
  instance?: string;
  item?: number;
}

/** What is sent with an act besides its subject. */
export interface Wish {
  reason: string;
  dryRun: boolean;
  /** Of a drain and a removal: how long what runs is waited for, milliseconds. */
  timeout?: number;
  /** Of a held item: from where it goes on. */
  from?: string;
  /** Of a removal: what becomes of what runs. */
  mode?: string;
  /** Of a removal: though files define the job. */
  takeOver?: boolean;
}

export type ActName =
  | 'trigger' | 'pause' | 'resume' | 'drain' | 'disable' | 'enable' | 'offline' | 'online' | 'rebalance' | 'shutdown'
  | 'itemDisable' | 'itemEnable' | 'itemResume' | 'remove';

interface Row {
  weight: Weight;
  needs: Verb;
  shape: Shape;
  /** What takes it back. */
  undo?: ActName;
  send: (subject: Subject, wish: Wish, key: string) => Promise<Operation>;
}

const AT = '/api/v1/projects/{project}/jobs/{job}';
const path = ({ project, job }: Subject) => ({ project, job });
const told = ({ reason, dryRun }: Wish) => ({ dryRun, ...(reason ? { reason } : {}) });
const onHost = (subject: Subject, wish: Wish) => ({ ...told(wish), ...(subject.host ? { host: subject.host } : {}) });
const once = (key: string) => ({ 'Idempotency-Key': key });

/** The acts that take nothing but a reason. */
type Plain = 'trigger' | 'pause' | 'offline' | 'online' | 'rebalance';
const plain = (act: Plain) => (subject: Subject, wish: Wish, key: string) =>
  body(server.POST(`${AT}/${act}`, { params: { path: path(subject) }, body: told(wish), headers: once(key) }));

/** The acts that can be narrowed to a host. */
const ofHost = (act: 'disable' | 'enable' | 'resume') => (subject: Subject, wish: Wish, key: string) =>
  body(server.POST(`${AT}/${act}`, { params: { path: path(subject) }, body: onHost(subject, wish), headers: once(key) }));

const item = (subject: Subject) => ({ ...path(subject), i: String(subject.item) });
const ofItem = (act: 'disable' | 'enable') => (subject: Subject, wish: Wish, key: string) =>
  body(server.POST(`${AT}/items/{i}/${act}`, { params: { path: item(subject) }, body: told(wish), headers: once(key) }));

/** Every act. */
export const ACTS: Readonly<Record<ActName, Row>> = {
  trigger: { weight: 'sheet', needs: 'job.operate', shape: 'i-play', send: plain('trigger') },
  pause: { weight: 'sheet', needs: 'job.operate', shape: 'i-pause', undo: 'resume', send: plain('pause') },
  resume: { weight: 'once', needs: 'job.operate', shape: 'i-play', undo: 'pause', send: ofHost('resume') },
  drain: {
    weight: 'sheet',
    needs: 'job.operate',
    shape: 'i-drain',
    undo: 'resume',
    send: (subject, wish, key) => {
      const asked = { ...onHost(subject, wish), ...(wish.timeout === undefined ? {} : { timeout: wish.timeout }) };
      return body(server.POST(`${AT}/drain`, { params: { path: path(subject) }, body: asked, headers: once(key) }));
    },
  },
  disable: { weight: 'sheet', needs: 'job.operate', shape: 'i-off', undo: 'enable', send: ofHost('disable') },
  enable: { weight: 'once', needs: 'job.operate', shape: 'i-check', undo: 'disable', send: ofHost('enable') },
  offline: { weight: 'sheet', needs: 'job.operate', shape: 'i-off', undo: 'online', send: plain('offline') },
  online: { weight: 'once', needs: 'job.operate', shape: 'i-check', undo: 'offline', send: plain('online') },
  rebalance: { weight: 'sheet', needs: 'job.operate', shape: 'i-rebalance', send: plain('rebalance') },
  shutdown: {
    weight: 'dialog',
    needs: 'job.operate',
    shape: 'i-x',
    send: (subject, wish, key) => {
      const asked = { ...told(wish), ...(subject.instance ? { target: subject.instance } : {}) };
      return body(server.POST(`${AT}/shutdown`, { params: { path: path(subject) }, body: asked, headers: once(key) }));
    },
  },
  itemDisable: { weight: 'sheet', needs: 'job.operate', shape: 'i-off', undo: 'itemEnable', send: ofItem('disable') },
  itemEnable: { weight: 'once', needs: 'job.operate', shape: 'i-check', undo: 'itemDisable', send: ofItem('enable') },
  itemResume: {
    weight: 'sheet',
    needs: 'job.operate',
    shape: 'i-play',
    send: (subject, wish, key) => {
      const asked = { ...told(wish), from: wish.from ?? 'now' };
      return body(server.POST(`${AT}/items/{i}/resume`, { params: { path: item(subject) }, body: asked, headers: once(key) }));
    },
  },
  remove: {
    weight: 'dialog',
    needs: 'job.remove',
    shape: 'i-x',
    send: (subject, { reason, dryRun, mode, timeout, takeOver }) => {
      const asked = {
        dryRun,
        mode: mode ?? 'stop',
        // A removal has a reason, also one that is only looked at.
        reason: dryRun ? 'dry run' : reason,
        ...(timeout === undefined ? {} : { timeout }),
        ...(takeOver ? { takeOver } : {}),
      };
      return body(server.DELETE(AT, { params: { path: path(subject), query: asked } }));
    },
  },
};

/** What takes an act back, if something does: a host that goes on is not stopped by stopping the job. */
export function undoOf(act: ActName, subject: Subject): ActName | undefined {
  return act === 'resume' && subject.host !== undefined ? undefined : ACTS[act].undo;
}
