// GET /api/auth/login: sends the browser to sign in.
import type { APIRoute } from 'astro';
import { LOGIN_STATE, setCookie } from '../../../lib/cookies';
import { redirectTo } from '../../../lib/redirect';
import { redirectUri, scalekit } from '../../../lib/scalekit';

export const GET: APIRoute = ({ cookies, url }) => {
  // Comes back with the code: an answer that this browser did not ask for is refused.
  const state = crypto.randomUUID();
  setCookie(cookies, url, LOGIN_STATE, state);

  return redirectTo(
    scalekit.getAuthorizationUrl(redirectUri, {
      state,
      scopes: ['openid', 'profile', 'email', 'offline_access'],
    }),
  );
};
