/** The page of somebody who is not in yet: language and theme, one card, and whether the connection is encrypted. */
import type { ReactNode } from 'react';
import { choose, usePrefs } from '../../look/prefs';
import { Button } from '../../parts/Button';
import { Icon } from '../../parts/Glyph';
import { useSay } from '../../words/say';
import { speak } from '../../shell/Top';
import s from './Door.module.css';

export function Door({ title, children }: { title: string; children: ReactNode }) {
  const say = useSay();
  const { language } = usePrefs();
  const dark = document.documentElement.dataset['theme'] === 'dark';
  return (
    <div className={s.door}>
      <header className={s.bar}>
        <span>
          <svg className={s.brand} viewBox="0 0 20 20" aria-hidden="true">
            <use href="#i-brand" />
          </svg>
          {say('product')}
        </span>
        <Button look="quiet" onPress={() => void speak(language === 'en' ? 'zh' : 'en')} aria-label={say('language.other')}>
          {say('language.both')}
        </Button>
        <Button look="quiet" icon onPress={() => choose({ theme: dark ? 'light' : 'dark' })} aria-label={say(dark ? 'theme.toLight' : 'theme.toDark')}>
          <Icon shape="i-theme" />
        </Button>
      </header>
      <main className={s.card}>
        <h1>{title}</h1>
        {children}
      </main>
      <footer className={s.plain}>{location.protocol === 'https:' ? '' : say('door.notEncrypted')}</footer>
    </div>
  );
}
