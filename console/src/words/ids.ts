import type { en } from './en';

/** The id of everything that the console says. */
export type MessageId = keyof typeof en;
/** A catalogue: every id, and no other. */
export type Messages = Record<MessageId, string>;
