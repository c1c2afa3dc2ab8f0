import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { draft, keep } from '../../../act/drafts';
import { type Definition, type JobName, session } from '../../../api/queries';
import { type Clash, type Content, type Edit, isChanged, rebase, same } from './edit';

/** What of a job can be edited, as it is now. */
export function contentOf({ settings, owner, tags }: Definition): Content {
  return { settings, owner, tags: tags.join(' ') };
}

function begun(definition: Definition): Edit {
  const content = contentOf(definition);
  return { version: definition.version, base: content, mine: content };
}

const isContent = (value: unknown): value is Content =>
  typeof value === 'object' && value !== null && 'settings' in value && typeof value.settings === 'object' && 'owner' in value && 'tags' in value;

function isEdit(value: unknown): value is Edit {
  return typeof value === 'object' && value !== null && 'version' in value && 'base' in value && 'mine' in value && isContent(value.base) && isContent(value.mine);
}

export interface Editing {
  edit: Edit;
  isChanged: boolean;
  /** When what is shown was typed, if it was kept from before. */
  keptAt: number | undefined;
  /** Somebody saved another version meanwhile. */
  isBehind: boolean;
  /** What both changed, once what was typed here was put upon theirs. */
  clashes: readonly Clash[];
  change: (mine: Content) => void;
  /** Puts what was typed upon what somebody else saved. */
  catchUp: () => void;
  discard: () => void;
  /** It was saved as this. */
  saved: (definition: Definition) => void;
}

/** What somebody is changing of a job: one draft for all pages of the job, kept until it is saved or discarded. */
export function useEdit(name: JobName, definition: Definition): Editing {
  const account = useQuery(session).data?.person.id ?? '';
  const form = `${name.project}/${name.job}`;
  const [before] = useState(() => draft(localStorage, account, form, Date.now(), isEdit));
  const [edit, setEdit] = useState<Edit>(() => before?.value ?? begun(definition));
  const [keptAt, setKeptAt] = useState(before?.at);
  const [clashes, setClashes] = useState<readonly Clash[]>([]);
  const now = contentOf(definition);
  const isTouched = isChanged(edit);
  const isSame = same(edit.mine, now);

  // What nobody touched follows what somebody else saves; so does what is the same by now.
  useEffect(() => {
    if (definition.version === edit.version || (isTouched && !isSame)) return;
    setEdit(begun(definition));
    setKeptAt(undefined);
  }, [definition, edit.version, isTouched, isSame]);
  useEffect(() => {
    keep(localStorage, account, form, isTouched ? edit : undefined, Date.now());
  }, [account, form, edit, isTouched]);

  const start = (of: Definition) => {
    setEdit(begun(of));
    setKeptAt(undefined);
    setClashes([]);
  };
  return {
    edit,
    isChanged: isTouched,
    keptAt,
    isBehind: isTouched && definition.version > edit.version,
    clashes,
    change: (mine) => setEdit({ ...edit, mine }),
    catchUp: () => {
      const put = rebase(edit, now, definition.version);
      setEdit(put.edit);
      setClashes(put.clashes);
    },
    discard: () => start(definition),
    saved: start,
  };
}
