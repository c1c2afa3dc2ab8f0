/** What the address of the list of jobs says. Unknown words of it are kept and ignored. */
import * as v from 'valibot';

export const SORTS = ['status', 'name', 'next', 'last', 'changed'] as const;
export type Sort = (typeof SORTS)[number];

export const USUAL = 'status';

/** An order, `-` before it for backwards. */
export const sortOf = (text: string | undefined): { by: Sort; backwards: boolean } => {
  const backwards = text?.startsWith('-') ?? false;
  const by = SORTS.find((sort) => sort === (backwards ? text?.slice(1) : text));
  return by ? { by, backwards } : { by: USUAL, backwards: false };
};

export const jobsSearch = v.looseObject({ q: v.optional(v.string()), sort: v.optional(v.string()) });

/** A job among those of all projects. */
export const rowKey = ({ project, name }: { project: string; name: string }) => `${project}/${name}`;
