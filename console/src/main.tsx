import './tokens.css';
import './ground.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider, useRouterState } from '@tanstack/react-router';
import { StrictMode, useEffect } from 'react';
import { I18nProvider } from 'react-aria-components';
import { createRoot } from 'react-dom/client';
import { asProblem } from './api/problem';
import { keys } from './api/queries';
import { follow, isFollowed } from './api/stream/follow';
import { followPrefs, onPrefs, prefs, usePrefs } from './look/prefs';
import { Sprite } from './parts/Sprite';
import { makeRouter } from './router';
import { takeSecret } from './routes/setup/secret';
import { namesOf } from './shell/names';
import { placeOf } from './shell/places';
import { load, useSay } from './words/say';

/** How long an answer is fresh when no stream says that it changed, milliseconds. */
const FRESH = 15_000;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: () => (isFollowed() ? Infinity : FRESH),
      // Without a stream, what is seen is asked again now and then.
      refetchInterval: () => (isFollowed() ? false : FRESH),
      retry: (times, error) => times < 2 && asProblem(error).passes,
    },
  },
});
// Before the router reads the address.
takeSecret();
const router = makeRouter(client);

function App() {
  const { language } = usePrefs();
  useStream();
  return (
    <I18nProvider locale={language === 'zh' ? 'zh-CN' : 'en-US'}>
      <Sprite />
      <RouterProvider router={router} />
      <Title />
    </I18nProvider>
  );
}

/** The stream is followed while somebody is signed in. */
function useStream(): void {
  useEffect(() => {
    let end: (() => void) | undefined;
    const look = () => {
      if (client.getQueryData(keys.session)) end ??= follow(client);
    };
    look();
    const stop = client.getQueryCache().subscribe(look);
    return () => {
      stop();
      end?.();
    };
  }, []);
}

/** The title names the thing: a job, else the place. */
function Title() {
  const say = useSay();
  const { path, names } = useRouterState({
    router,
    select: ({ location, matches }) => ({ path: location.pathname, names: namesOf(matches) }),
  });
  const place = placeOf(path);
  const job = names.project && names.job ? `${names.project}/${names.job}` : undefined;
  const named = job ?? (place ? say(place.word) : path.startsWith('/sign-in') ? say('signIn.title') : undefined);
  return <title>{named ? `${named} · ${say('product')}` : say('product')}</title>;
}

async function start(): Promise<void> {
  followPrefs();
  onPrefs(() => void load(prefs().language));
  await load(prefs().language);
  const root = document.getElementById('root');
  if (root) {
    createRoot(root).render(
      <StrictMode>
        <QueryClientProvider client={client}>
          <App />
        </QueryClientProvider>
      </StrictMode>,
    );
  }
}

void start();
