/** One field from which everything is reached: places, jobs, projects, commands. */
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useRouterState } from '@tanstack/react-router';
import { useDeferredValue, useState } from 'react';
import {
  Autocomplete, Collection, Dialog, Header, Input, Menu, MenuItem, MenuSection, Modal, ModalOverlay, SearchField,
} from 'react-aria-components';
import { ACTS } from '../act/acts';
import { verb } from '../act/Bar';
import { ask } from '../act/desk';
import { useOffers } from '../act/use';
import { type JobName, search } from '../api/queries';
import { choose, usePrefs } from '../look/prefs';
import f from '../parts/Field.module.css';
import { Icon } from '../parts/Glyph';
import o from '../parts/Overlay.module.css';
import type { Shape } from '../parts/Sprite';
import { useSay } from '../words/say';
import { nextZone } from './keys';
import { namesOf } from './names';
import { usePlaces } from './places';
import { speak } from './Top';

interface Entry {
  id: string;
  text: string;
  side?: string | undefined;
  shape: Shape;
  act: () => void;
}

interface Props {
  isOpen: boolean;
  onOpenChange: (open: boolean) => void;
}

export function Palette({ isOpen, onOpenChange }: Props) {
  const say = useSay();
  return (
    <ModalOverlay isOpen={isOpen} onOpenChange={onOpenChange} isDismissable className={o.scrim ?? ''} data-top="">
      <Modal className={o.modal ?? ''} data-wide="">
        <Dialog aria-label={say('find.label')} className={o.dialog ?? ''}>
          <Finder onDone={() => onOpenChange(false)} />
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function Finder({ onDone }: { onDone: () => void }) {
  const say = useSay();
  const [text, setText] = useState('');
  const asked = useDeferredValue(text.startsWith('>') ? '' : text.trim());
  const found = useQuery({ ...search(asked), placeholderData: (before) => before });
  const navigate = useNavigate();
  const { project = '', job = '' } = useRouterState({ select: ({ matches }) => namesOf(matches) });
  const acts = useActs({ project, job });
  const commands = [...acts, ...useCommands()];
  const words = text.replace(/^>/, '').trim().toLowerCase();
  const matches = (entry: Entry) => entry.text.toLowerCase().includes(words);
  const places: Entry[] = usePlaces().map((place) => ({
    id: place.to,
    text: say(place.word),
    side: `g ${place.letter}`,
    shape: place.shape,
    act: () => void navigate({ to: place.to }),
  }));
  const hits: Entry[] = (asked ? (found.data ?? []) : []).flatMap((hit): Entry[] => {
    const go =
      hit.kind === 'job'
        ? () => void navigate({ to: '/jobs/$project/$job', params: { project: hit.project, job: hit.name } })
        : hit.kind === 'project'
          ? () => void navigate({ to: '/jobs', search: { q: `project:${hit.name}` } })
          : undefined;
    if (!go) return [];
    const shape = hit.kind === 'job' ? 'i-jobs' : 'i-proj';
    return [{ id: `${hit.kind} ${hit.project} ${hit.name}`, text: hit.name, side: hit.kind === 'job' ? hit.project : hit.title, shape, act: go }];
  });
  const groups = [
    { id: 'palette.goTo', entries: text.startsWith('>') ? [] : places.filter(matches) },
    { id: 'palette.found', entries: hits },
    { id: 'palette.do', entries: commands.filter(matches) },
  ] as const;
  const all = groups.flatMap((group) => group.entries);
  return (
    <Autocomplete inputValue={text} onInputChange={setText}>
      <SearchField aria-label={say('find.label')} className={f.field ?? ''} autoFocus>
        <Input placeholder={say('find.label')} />
      </SearchField>
      <Menu
        className={o.list ?? ''}
        style={{ maxHeight: '70vh' }}
        aria-label={say('palette.list')}
        onAction={(key) => {
          onDone();
          all.find((entry) => entry.id === key)?.act();
        }}
        renderEmptyState={() => <p className={o.group}>{say('nothing.found')}</p>}
      >
        {groups
          .filter((group) => group.entries.length > 0)
          .map((group) => (
            <MenuSection key={group.id} id={group.id}>
              <Header className={o.group ?? ''}>{say(group.id)}</Header>
              <Collection items={group.entries}>
                {(entry) => (
                  <MenuItem id={entry.id} className={o.item ?? ''} textValue={entry.text}>
                    <Icon shape={entry.shape} />
                    <bdi className="el">{entry.text}</bdi>
                    {entry.side && <small>{entry.side}</small>}
                  </MenuItem>
                )}
              </Collection>
            </MenuSection>
          ))}
      </Menu>
    </Autocomplete>
  );
}

/** What can be done with the job of the page. */
function useActs(name: JobName): Entry[] {
  const say = useSay();
  const side = `${name.project}/${name.job}`;
  return useOffers(name).map((act) => ({ id: act, text: verb(act, say), side, shape: ACTS[act].shape, act: () => ask(act, name) }));
}

function useCommands(): Entry[] {
  const say = useSay();
  const { language, zone, narrow } = usePrefs();
  const dark = document.documentElement.dataset['theme'] === 'dark';
  return [
    { id: 'theme', text: say(dark ? 'theme.toLight' : 'theme.toDark'), shape: 'i-theme', act: () => choose({ theme: dark ? 'light' : 'dark' }) },
    { id: 'language', text: say('language.other'), shape: 'i-globe', act: () => void speak(language === 'en' ? 'zh' : 'en') },
    { id: 'zone', text: say('zone.next'), side: 'z', shape: 'i-globe', act: () => choose({ zone: nextZone(zone) }) },
    { id: 'side', text: say('side.toggle'), side: '\\', shape: 'i-menu', act: () => choose({ narrow: !narrow }) },
  ];
}
