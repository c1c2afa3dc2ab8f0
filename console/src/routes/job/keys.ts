/** The keys of a job's page. */
import { useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import type { ActName } from '../../act/acts';
import { ask } from '../../act/desk';
import { useOffers } from '../../act/use';
import type { JobName } from '../../api/queries';
import { prefs } from '../../look/prefs';
import { isGoing, isTyping } from '../../shell/keys';

const ACTS: Readonly<Record<string, readonly ActName[]>> = { t: ['trigger'], b: ['pause', 'resume'] };
const TABS: Readonly<Record<string, '/jobs/$project/$job/schedule' | '/jobs/$project/$job/versions'>> = {
  e: '/jobs/$project/$job/schedule',
  v: '/jobs/$project/$job/versions',
};

export function useJobKeys(name: JobName): void {
  const router = useRouter();
  const offers = useOffers(name);
  const offered = offers.join(' ');
  const { project, job } = name;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (isTyping(event) || event.metaKey || event.ctrlKey || event.altKey || !prefs().letters || event.defaultPrevented || isGoing()) return;
      if (document.querySelector('[role=dialog],[role=alertdialog]')) return;
      const act = ACTS[event.key]?.find((one) => offered.split(' ').includes(one));
      const tab = TABS[event.key];
      if (act) ask(act, { project, job });
      else if (tab) void router.navigate({ to: tab, params: { project, job } });
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [router, offered, project, job]);
}
