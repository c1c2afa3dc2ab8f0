import { Link } from '@tanstack/react-router';
import { Empty } from '../parts/States';
import { useSay } from '../words/say';

/** An address that is none of ours. */
export function NotFound() {
  const say = useSay();
  return (
    <main>
      <Empty title={<h1>{say('notFound.title')}</h1>}>
        <Link className="link" to="/jobs">
          {say('notFound.jobs')}
        </Link>
      </Empty>
    </main>
  );
}
