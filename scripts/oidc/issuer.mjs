// A real OpenID Connect issuer for tests: oidc-provider, with people who need no password.
//
//   node issuer.mjs PORT REDIRECT_URI
//
// Who signs in is named by `login_hint` at the authorisation endpoint: lina is in the group ops, max in none. It answers on 127.0.0.1 and prints
// `listening` once it does. `/forget` makes it use new keys, as a provider does that changes them.
import { Provider } from 'oidc-provider';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

// Whoever waits for `listening` reads no further.
console.info = () => {};

const [port, redirect] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const people = {
  lina: { name: 'Li Na', email: 'lina@example.com', preferred_username: 'lina', groups: ['ops', 'everybody'] },
  max: { name: 'Max', email: 'max@example.com', preferred_username: 'max', groups: [] },
};

function provider(kid) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const made = new Provider(issuer, {
    clients: [{ client_id: 'clockwright', client_secret: 'a secret of the client', redirect_uris: [redirect] }],
    cookies: { keys: ['only for tests'] },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/enter/${interaction.uid}` },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] },
    findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
  });
  return made;
}

let current = provider('first');

async function enter(request, response) {
  const { prompt, params, session } = await current.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const login = { accountId: params.login_hint ?? 'lina' };
    return current.interactionFinished(request, response, { login });
  }
  const grant = new current.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid profile email groups');
  const consent = { grantId: await grant.save() };
  return current.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

createServer((request, response) => {
  if (request.url === '/forget') {
    current = provider('second');
    response.end();
  } else if (request.url.startsWith('/enter/')) {
    enter(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  } else {
    current.callback()(request, response);
  }
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
