// GET /api/auth/callback: the browser is back; the code is traded for tokens.
import type { APIRoute } from 'astro';
import { ACCESS_TOKEN, ID_TOKEN, LOGIN_STATE, REFRESH_TOKEN, setCookie } from '../../../lib/cookies';
import { redirectTo } from '../../../lib/redirect';
import { redirectUri, scalekit } from '../../../lib/scalekit';

export const GET: APIRoute = async ({ cookies, url }) => {
  const code = url.searchParams.get('code');
  if (!code) return redirectTo('/');

  const expected = cookies.get(LOGIN_STATE)?.value;
  cookies.delete(LOGIN_STATE, { path: '/' });
  if (!expected || url.searchParams.get('state') !== expected) {
    return new Response('This sign-in was not started in this browser. Please start again.', {
      status: 400,
    });
  }

  try {
    const tokens = await scalekit.authenticateWithCode(code, redirectUri);
    setCookie(cookies, url, ACCESS_TOKEN, tokens.accessToken);
    setCookie(cookies, url, ID_TOKEN, tokens.idToken);
    if (tokens.refreshToken) setCookie(cookies, url, REFRESH_TOKEN, tokens.refreshToken);
  } catch (error) {
    console.error('The code could not be traded for tokens:', error);
    return new Response('The sign-in could not be completed. Please start again.', { status: 502 });
  }
  return redirectTo('/dashboard');
};
