/** What is supposed of a job's items, as it stands in the address: `leave:ID`, `join:2`, `count:16`, `strategy:ODEVITY`. Pure. */
import type { Schemas } from '../../../api/client';

export const STRATEGIES = ['AVG_ALLOCATION', 'ODEVITY', 'ROUND_ROBIN', 'MINIMAL_MOVES'] as const;
export const KINDS = ['leave', 'join', 'count', 'strategy'] as const;

export interface Supposed {
  kind: (typeof KINDS)[number];
  value: string;
}

/** What an address supposes; nothing when it cannot be read. */
export function supposed(text: string | undefined): Supposed | undefined {
  const at = text?.indexOf(':') ?? -1;
  if (!text || at < 0) return undefined;
  const kind = KINDS.find((one) => one === text.slice(0, at));
  const value = text.slice(at + 1);
  return kind && value ? { kind, value } : undefined;
}

export const written = ({ kind, value }: Supposed) => `${kind}:${value}`;

/** What the server is asked; nothing while a number is none. */
export function asked({ kind, value }: Supposed): Schemas['WhatIfAsk'] | undefined {
  const number = /^\d{1,6}$/.test(value) ? Number(value) : 0;
  switch (kind) {
    case 'leave':
      return { leave: value.split(',') };
    case 'join':
      return number > 0 ? { join: number } : undefined;
    case 'count':
      return number > 0 ? { items: number } : undefined;
    case 'strategy':
      return { strategy: value };
  }
}
