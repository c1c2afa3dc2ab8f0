/** From empty to running: what is done, what comes next, and the command for it. */
import { useQuery } from '@tanstack/react-query';
import { can } from '../../api/can';
import { session } from '../../api/queries';
import { Glyph, Icon, type Sign } from '../../parts/Glyph';
import { Panel } from '../../parts/Panel';
import { useSay } from '../../words/say';
import s from './Overview.module.css';
import type { Step } from './steps';

/** How each is done from a shell; outcomes come by themselves. */
const COMMANDS: Readonly<Partial<Record<Step, string>>> = {
  project: 'clockwright project create billing',
  job: 'clockwright job create -f jobs.yaml',
  instance: 'clockwright node --registry zookeeper://zk1:2181/billing -f jobs.yaml',
};
const TO_COME: Sign = { shape: 'g-wait', tone: 'wait', word: 'none' };

export function FirstSteps({ steps }: { steps: readonly { step: Step; done: boolean }[] }) {
  const say = useSay();
  const me = useQuery(session).data;
  const next = steps.find(({ done }) => !done)?.step;
  // Who sees no project and may make none cannot do the first step.
  const waits = next === 'project' && !can(me, 'project.create');
  return (
    <Panel title={say('first.title')}>
      <ol className={s.steps}>
        {steps.map(({ step, done }) => {
          const command = COMMANDS[step];
          return (
            <li key={step} aria-current={step === next ? 'step' : undefined}>
              {done ? (
                <span className="ok t">
                  <Icon shape="i-check" />
                </span>
              ) : (
                <Glyph sign={TO_COME} />
              )}
              <div>
                <b>{say(`first.${step}`)}</b>
                {done && <span className="sr"> {say('first.done')}</span>}
                {step === next && <p className="mid">{say(waits ? 'projects.noneSeen' : `first.${step}Say`)}</p>}
                {step === next && !waits && command && (
                  <pre tabIndex={0}>
                    <code>{command}</code>
                  </pre>
                )}
              </div>
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}
