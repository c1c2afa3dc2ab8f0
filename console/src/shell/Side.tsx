import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useRouterState } from '@tanstack/react-router';
import { Autocomplete, Button, Input, Menu, MenuItem, MenuTrigger, Popover, SearchField, useFilter } from 'react-aria-components';
import { forgetDrafts } from '../act/drafts';
import { body, server } from '../api/client';
import { jobCount, projects, session } from '../api/queries';
import { usePrefs } from '../look/prefs';
import f from '../parts/Field.module.css';
import { Icon } from '../parts/Glyph';
import o from '../parts/Overlay.module.css';
import { narrowed, valueOf } from '../query/grammar';
import { count } from '../words/format';
import { useSay } from '../words/say';
import { namesOf } from './names';
import { PLACES } from './places';
import s from './Shell.module.css';

export function Side() {
  const say = useSay();
  const { language } = usePrefs();
  const jobs = useQuery(jobCount(''));
  const groups = [...new Set(PLACES.map((place) => place.group))];
  return (
    <nav className={s.side} aria-label={say('shell.main')}>
      <div className={s.brand}>
        <svg viewBox="0 0 20 20" aria-hidden="true">
          <use href="#i-brand" />
        </svg>
        <span className={s.wide}>{say('product')}</span>
      </div>
      <Switcher />
      <div className={s.nav}>
        {groups.map((group) => (
          <div key={group} role="group" aria-label={say(group)}>
            <h3 aria-hidden="true">{say(group)}</h3>
            {PLACES.filter((place) => place.group === group).map((place) => (
              <Link key={place.to} to={place.to} activeProps={{ 'aria-current': 'page' }}>
                <Icon shape={place.shape} />
                <span className={s.wide}>{say(place.word)}</span>
                {place.to === '/jobs' && jobs.data !== undefined && <span className={s.n}>{count(jobs.data, language)}</span>}
              </Link>
            ))}
          </div>
        ))}
      </div>
      <Me />
    </nav>
  );
}

/** The same places at the bottom of a small screen. */
export function BottomBar() {
  const say = useSay();
  return (
    <nav className={s.tabs} aria-label={say('shell.main')}>
      {PLACES.map((place) => (
        <Link key={place.to} to={place.to} activeProps={{ 'aria-current': 'page' }}>
          <Icon shape={place.shape} />
          {say(place.word)}
        </Link>
      ))}
    </nav>
  );
}

/** The project that the address narrows to, if it does. */
function useProject(): string | undefined {
  return useRouterState({
    select: ({ location, matches }) => {
      const search = location.search as { q?: string; project?: string };
      return namesOf(matches).project ?? search.project ?? (search.q === undefined ? undefined : valueOf(search.q, 'project'));
    },
  });
}

/** Chooses a project: the choice is a word of the search, so it stands in the address. */
function Switcher() {
  const say = useSay();
  const project = useProject();
  const all = useQuery(projects);
  const navigate = useNavigate();
  const place = useRouterState({ select: (router) => router.location });
  const { contains } = useFilter({ sensitivity: 'base' });
  const go = (name: string | undefined) => {
    if (place.pathname.endsWith('/audit')) void navigate({ to: '/audit', search: name === undefined ? {} : { project: name } });
    else {
      const q = narrowed((place.search as { q?: string }).q ?? '', 'project', name);
      void navigate({ to: '/jobs', search: q ? { q } : {} });
    }
  };
  return (
    <MenuTrigger>
      <Button className={s.switch ?? ''} aria-label={say('switcher.label', { project: project ?? say('switcher.all') })}>
        <span className={s.letter} aria-hidden="true">
          {project ? project.slice(0, 1).toUpperCase() : '∗'}
        </span>
        <span className={`el ${s.wide}`}>{project ? <bdi>{project}</bdi> : say('switcher.all')}</span>
        <Icon shape="i-down" />
      </Button>
      <Popover className={o.popover ?? ''}>
        <Autocomplete filter={contains}>
          <SearchField aria-label={say('switcher.find')} className={f.field ?? ''} autoFocus style={{ padding: 8 }}>
            <Input />
          </SearchField>
          <Menu className={o.list ?? ''} onAction={(key) => go(key === '∗' ? undefined : String(key))} renderEmptyState={() => say('nothing.found')}>
            <MenuItem id="∗" className={o.item ?? ''} textValue={say('switcher.all')}>
              {say('switcher.all')}
            </MenuItem>
            {(all.data ?? []).map(({ name, title, jobs }) => (
              <MenuItem key={name} id={name} className={o.item ?? ''} textValue={`${name} ${title}`}>
                <bdi>{name}</bdi>
                <small>{jobs}</small>
              </MenuItem>
            ))}
          </Menu>
        </Autocomplete>
      </Popover>
    </MenuTrigger>
  );
}

/** Who is signed in, and the way out. */
function Me() {
  const say = useSay();
  const client = useQueryClient();
  const { data } = useQuery(session);
  if (!data) return null;
  const number = Object.keys(data.projects).length;
  const role = data.role ? say(`role.${data.role}`) : say('me.projects', { count: number });
  const out = async () => {
    await body(server.DELETE('/api/v1/session'));
    forgetDrafts(localStorage, data.person.id);
    client.clear();
    // A whole new page: nothing of the one before is left.
    location.assign(new URL('sign-in', document.baseURI).href);
  };
  return (
    <MenuTrigger>
      <Button className={s.me ?? ''} aria-label={say('me.label', { login: data.person.login })}>
        <span className={s.av}>
          <Icon shape="i-audit" />
        </span>
        <span className={`el ${s.wide}`}>
          <bdi>{data.person.login}</bdi>
          <small>{role}</small>
        </span>
      </Button>
      <Popover className={o.popover ?? ''}>
        <Menu className={o.list ?? ''} onAction={() => void out()}>
          <MenuItem id="out" className={o.item ?? ''}>
            {say('me.signOut')}
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
