import { Link, useRouterState } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { Button, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import { choose, usePrefs, zoneOf } from '../look/prefs';
import { Icon } from '../parts/Glyph';
import o from '../parts/Overlay.module.css';
import { Clock } from '../parts/Times';
import { zoneName } from '../words/format';
import { load, useSay } from '../words/say';
import { Freshness } from './Freshness';
import { namesOf } from './names';
import { placeOf } from './places';
import s from './Shell.module.css';

const isMac = /Mac|iP(hone|ad)/.test(navigator.userAgent);

export function Top({ onFind, busy }: { onFind: () => void; busy: ReactNode }) {
  const say = useSay();
  return (
    <header className={s.top}>
      <Crumbs />
      <Button className={s.find ?? ''} onPress={onFind} aria-label={say('find.label')}>
        <Icon shape="i-search" />
        <span>{say('find.label')}</span>
        <kbd>{isMac ? '⌘K' : say('key.ctrlK')}</kbd>
      </Button>
      <Freshness />
      <Zone />
      <Language />
      <ThemeButton />
      {busy}
    </header>
  );
}

/** Where one is: each step is a link. */
function Crumbs() {
  const say = useSay();
  const { path, names } = useRouterState({
    select: ({ location, matches }) => ({ path: location.pathname, names: namesOf(matches) }),
  });
  const place = placeOf(path);
  if (!place) return <div className={s.crumbs} />;
  const { project, job, fire } = names;
  if (!project || !job) {
    return (
      <div className={s.crumbs}>
        <b>{say(place.word)}</b>
      </div>
    );
  }
  return (
    <nav aria-label={say('shell.crumbs')} style={{ minWidth: 0 }}>
      <ol className={s.crumbs}>
        <li className="hide-m">
          <Link to="/jobs">{say('place.jobs')}</Link> /
        </li>
        <li className="hide-m">
          <Link to="/jobs" search={{ q: `project:${project}` }}>
            <bdi>{project}</bdi>
          </Link>{' '}
          /
        </li>
        {fire === undefined ? (
          <li aria-current="page">
            <b>
              <bdi>{job}</bdi>
            </b>
          </li>
        ) : (
          <>
            <li>
              <Link to="/jobs/$project/$job" params={{ project, job }} className="el">
                <bdi>{job}</bdi>
              </Link>{' '}
              /
            </li>
            <li aria-current="page">
              <b>{say('fire.one')}</b>
            </li>
          </>
        )}
      </ol>
    </nav>
  );
}

/** Zones that people choose often, besides their own. */
const ZONES = ['mine', 'UTC', 'job', 'Asia/Shanghai', 'Europe/Berlin', 'Europe/London', 'America/New_York', 'America/Los_Angeles'];

function Zone() {
  const say = useSay();
  const { zone } = usePrefs();
  const shown = zoneOf(zone);
  const named = (choice: string) => (choice === 'mine' ? say('zone.mine', { zone: zoneOf('mine') }) : choice === 'job' ? say('zone.job') : choice);
  return (
    <MenuTrigger>
      <Button className={`${s.pill} hide-m`} aria-label={say('zone.label', { zone: named(zone) })}>
        <Icon shape="i-globe" />
        <span>
          {zone === 'job' ? say('zone.jobShort') : zoneName(shown)} <Clock zone={shown} />
        </span>
      </Button>
      <Popover className={o.popover ?? ''}>
        <Menu
          className={o.list ?? ''}
          selectionMode="single"
          selectedKeys={[zone]}
          onAction={(key) => choose({ zone: String(key) })}
          aria-label={say('zone.choose')}
        >
          {[...new Set([...ZONES, zone])].map((choice) => (
            <MenuItem key={choice} id={choice} className={o.item ?? ''}>
              {named(choice)}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

/** Chooses a language, once its words are there. */
export async function speak(language: 'en' | 'zh'): Promise<void> {
  await load(language);
  choose({ language });
}

function Language() {
  const say = useSay();
  const { language } = usePrefs();
  return (
    <Button className={s.pill ?? ''} onPress={() => void speak(language === 'en' ? 'zh' : 'en')} aria-label={say('language.other')}>
      {say('language.both')}
    </Button>
  );
}

function ThemeButton() {
  const say = useSay();
  const { theme } = usePrefs();
  const dark = document.documentElement.dataset['theme'] === 'dark';
  return (
    <Button
      key={theme}
      className={`${s.pill} hide-m`}
      onPress={() => choose({ theme: dark ? 'light' : 'dark' })}
      aria-label={say(dark ? 'theme.toLight' : 'theme.toDark')}
    >
      <Icon shape="i-theme" />
    </Button>
  );
}
