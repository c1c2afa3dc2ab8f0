/** What is done with the jobs that are selected, or with all that match. */
import { useNavigate } from '@tanstack/react-router';
import { Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import { ACTS } from '../../act/acts';
import type { Schemas } from '../../api/client';
import { Button } from '../../parts/Button';
import { Icon } from '../../parts/Glyph';
import o from '../../parts/Overlay.module.css';
import { useSay } from '../../words/say';
import { type Action, ACTIONS, namesIn } from '../bulk/select';
import s from './Selected.module.css';

/** How many actions have a button of their own. */
const SHOWN = 3;

interface Props {
  jobs: readonly Schemas['NamedJob'][];
  /** The words by which they were found, and how many they find. */
  q: string;
  found: number;
  isAll: boolean;
  onAll: () => void;
  onClear: () => void;
}

export function Selected({ jobs, q, found, isAll, onAll, onClear }: Props) {
  const say = useSay();
  const navigate = useNavigate();
  const go = (action: Action) => void navigate({ to: '/jobs/bulk', search: { action, ...(isAll ? { q: q || ' ' } : { jobs: namesIn(jobs) }) } });
  return (
    <section className={s.bar} aria-label={say('bulk.selected', { count: isAll ? found : jobs.length })}>
      <b role="status">{say('bulk.selected', { count: isAll ? found : jobs.length })}</b>
      {!isAll && found > jobs.length && (
        <button type="button" className={s.all} onClick={onAll}>
          {say('bulk.all', { count: found })}
        </button>
      )}
      {ACTIONS.slice(0, SHOWN).map((action) => (
        <Button key={action} small onPress={() => go(action)}>
          <Icon shape={ACTS[action].shape} />
          {`${say(`act.${action}`)}…`}
        </Button>
      ))}
      <MenuTrigger>
        <Button small icon aria-label={say('act.more')}>
          <Icon shape="i-more" />
        </Button>
        <Popover className={o.popover ?? ''} placement="top end">
          <Menu className={o.list ?? ''} aria-label={say('act.more')} onAction={(key) => go(key as Action)}>
            {ACTIONS.slice(SHOWN).map((action) => (
              <MenuItem key={action} id={action} className={o.item ?? ''}>
                <Icon shape={ACTS[action].shape} />
                {`${say(`act.${action}`)}…`}
              </MenuItem>
            ))}
          </Menu>
        </Popover>
      </MenuTrigger>
      <Button small look="quiet" icon aria-label={say('bulk.none')} onPress={onClear}>
        <Icon shape="i-x" />
      </Button>
    </section>
  );
}
