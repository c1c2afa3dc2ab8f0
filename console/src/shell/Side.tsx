import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useRouterState } from '@tanstack/react-router';
import { Autocomplete, Button, Input, Menu, MenuItem, MenuTrigger, Popover, SearchField, useFilter } from 'react-aria-components';
import { forgetDrafts } from '../act/drafts';
import { firing, MANY } from '../api/alerts';
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
import { placeOf, usePlaces } from './places';
import s from './Shell.module.css';

export function Side() {
  const say = useSay();
  const { language } = usePrefs();
  const jobs = useQuery(jobCount(''));
  const places = usePlaces();
  const groups = [...new Set(places.map((place) => place.group))];
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
            {places.filter((place) => place.group === group).map((place) => (
              <Link key={place.to} to={place.to} activeOptions={{ exact: place.to === '/' }} activeProps={{ 'aria-current': 'page' }}>
                <Icon shape={place.shape} />
                <span className={s.wide}>{say(place.word)}</span>
                {place.to === '/jobs' && jobs.data !== undefined && <span className={s.n}>{count(jobs.data, language)}</span>}
                {place.to === '/alerts' && <Firing />}
              </Link>
            ))}
          </div>
        ))}
      </div>
      <Me />
    </nav>
  );
}

/** How many alerts nobody has taken up. */
function Firing() {
  const say = useSay();
  const found = useQuery(firing).data ?? 0;
  if (found === 0) return null;
  return (
    <span className={`${s.n} ${s.hot}`}>
      {found}
      {found === MANY && '+'}
      <span className="sr"> {say('alert.firing')}</span>
    </span>
  );
}

/** How many places the bottom of a small screen has room for beside what leads to the rest. */
const ROOM = 4;

/** The same places at the bottom of a small screen: the first ones, and a menu of the rest. */
export function BottomBar() {
  const say = useSay();
  const places = usePlaces();
  const navigate = useNavigate();
  const path = useRouterState({ select: (router) => router.location.pathname });
  const rest = places.slice(ROOM);
  const isThere = rest.some(({ to }) => to === placeOf(path)?.to);
  return (
    <nav className={s.tabs} aria-label={say('shell.main')}>
      {places.slice(0, ROOM).map((place) => (
        <Link key={place.to} to={place.to} activeOptions={{ exact: place.to === '/' }} activeProps={{ 'aria-current': 'page' }}>
          <Icon shape={place.shape} />
          {say(place.word)}
        </Link>
      ))}
      <MenuTrigger>
        <Button className={s.rest ?? ''} data-there={isThere || undefined}>
          <Icon shape="i-more" />
          {say('shell.more')}
        </Button>
        <Popover className={o.popover ?? ''}>
          <Menu className={o.list ?? ''} aria-label={say('shell.more')} onAction={(key) => void navigate({ to: String(key) })}>
            {rest.map((place) => (
              <MenuItem key={place.to} id={place.to} className={o.item ?? ''} textValue={say(place.word)}>
                <Icon shape={place.shape} />
                {say(place.word)}
              </MenuItem>
            ))}
          </Menu>
        </Popover>
      </MenuTrigger>
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
  const matches = useRouterState({ select: (router) => router.matches });
  const { contains } = useFilter({ sensitivity: 'base' });
  const go = (name: string | undefined) => {
    if (place.pathname.endsWith('/audit')) void navigate({ to: '/audit', search: name === undefined ? {} : { project: name } });
    else {
      const of = place.pathname.endsWith('/runs') && !namesOf(matches).job ? 'runs' : 'jobs';
      const before = of === 'runs' || place.pathname.endsWith('/jobs') ? ((place.search as { q?: string }).q ?? '') : '';
      const q = narrowed(before, 'project', name, of);
      void navigate({ to: `/${of}`, search: q ? { q } : {} });
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
