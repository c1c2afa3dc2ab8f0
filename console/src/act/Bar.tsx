/** The buttons of what can be done: the likeliest as they are, the rest behind a menu. Whoever may do nothing sees none. */
import { type Key, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import { Button } from '../parts/Button';
import { Icon } from '../parts/Glyph';
import o from '../parts/Overlay.module.css';
import { type Say, useSay } from '../words/say';
import { type ActName, ACTS, type Subject } from './acts';
import s from './Bar.module.css';
import { ask, type Asked } from './desk';

/** How many acts have a button of their own. */
const SHOWN = 3;

/** The verb on a button; an ellipsis says that it asks first. */
export function verb(act: ActName, say: Say): string {
  return say(`act.${act}`) + (ACTS[act].weight === 'once' ? '' : '…');
}

export function ActBar({ acts, subject }: { acts: readonly ActName[]; subject: Subject }) {
  const say = useSay();
  if (acts.length === 0) return null;
  return (
    <div className={s.bar} role="group" aria-label={say('act.what')}>
      {acts.slice(0, SHOWN).map((act) => (
        <Button key={act} onPress={() => ask(act, subject)}>
          <Icon shape={ACTS[act].shape} />
          {verb(act, say)}
        </Button>
      ))}
      <ActMenu of={acts.slice(SHOWN).map((act) => ({ act, subject }))} label={say('act.more')} />
    </div>
  );
}

/** A button with a menu of acts. */
export function ActMenu({ of, label, small = false }: { of: readonly Asked[]; label: string; small?: boolean }) {
  const say = useSay();
  if (of.length === 0) return null;
  const begin = (key: Key) => {
    const picked = of.find(({ act }) => act === key);
    if (picked) ask(picked.act, picked.subject);
  };
  return (
    <MenuTrigger>
      <Button icon small={small} look={small ? 'quiet' : 'usual'} aria-label={label}>
        <Icon shape="i-more" />
      </Button>
      <Popover className={o.popover ?? ''} placement="bottom end">
        <Menu className={o.list ?? ''} aria-label={label} onAction={begin}>
          {of.map(({ act }) => (
            <MenuItem key={act} id={act} className={o.item ?? ''} textValue={verb(act, say)}>
              <Icon shape={ACTS[act].shape} />
              {verb(act, say)}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
