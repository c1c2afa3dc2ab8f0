/**
 * Acts that are under way in this tab: the one whose sheet is open, and those of which the reader is told. One for the whole console, for an act
 * goes on when its page is left.
 */
import { useSyncExternalStore } from 'react';
import { onceKey } from '../api/client';
import { asProblem, type Problem } from '../api/problem';
import { type ActName, ACTS, type Operation, type Subject, type Wish } from './acts';

/** An act that waits for its reason. */
export interface Asked {
  act: ActName;
  subject: Subject;
}

/** What the reader is told of an act. */
export interface Told extends Asked {
  id: number;
  wish: Wish;
  /** One key for one wish, however often it is sent. */
  key: string;
  /** The server's word; until then it was sent. */
  word?: Operation | undefined;
  problem?: Problem | undefined;
}

interface Desk {
  asked: Asked | undefined;
  told: readonly Told[];
}

let desk: Desk = { asked: undefined, told: [] };
let last = 0;
const listeners = new Set<() => void>();

function set(change: Partial<Desk>): void {
  desk = { ...desk, ...change };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is on the desk now. */
export const onDesk = () => desk;

export function useDesk(): Desk {
  return useSyncExternalStore(subscribe, onDesk);
}

/** Somebody wants to act: it is done at once, or its sheet opens. */
export function ask(act: ActName, subject: Subject): void {
  if (ACTS[act].weight === 'once') void doNow({ act, subject }, '');
  else set({ asked: { act, subject } });
}

export function closeSheet(): void {
  set({ asked: undefined });
}

/** Does it without a sheet: it is told as sent, then with the server's word. */
export async function doNow(asked: Asked, reason: string): Promise<void> {
  const told: Told = { ...asked, id: ++last, wish: { reason, dryRun: false }, key: onceKey() };
  set({ told: [...desk.told, told] });
  await sendAgain(told);
}

/** Sends it; also again, when nobody knows whether the first came through. */
export async function sendAgain({ id, act, subject, wish, key }: Told): Promise<void> {
  replace(id, { problem: undefined, word: undefined });
  try {
    replace(id, { word: await ACTS[act].send(subject, wish, key) });
  } catch (error) {
    replace(id, { problem: asProblem(error) });
  }
}

function replace(id: number, change: { word?: Operation | undefined; problem?: Problem | undefined }): void {
  const told = desk.told.map((one): Told => {
    return one.id === id ? { ...one, ...change } : one;
  });
  set({ told });
}

/** The sheet of an act has the server's word: it closes, and the word is told. */
export function tell(asked: Asked, wish: Wish, key: string, word: Operation): void {
  set({ asked: undefined, told: [...desk.told, { ...asked, id: ++last, wish, key, word }] });
}

export function forget(id: number): void {
  set({ told: desk.told.filter((one) => one.id !== id) });
}
