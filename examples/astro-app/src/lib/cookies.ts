// The cookies of this application. Scripts cannot read them, and another site's
// forms do not carry them.
import type { AstroCookies, AstroCookieSetOptions } from 'astro';

export const ACCESS_TOKEN = 'access_token';
export const REFRESH_TOKEN = 'refresh_token';
export const ID_TOKEN = 'id_token';
export const LOGIN_STATE = 'login_state';

const options = (url: URL): AstroCookieSetOptions => ({
  httpOnly: true,
  sameSite: 'lax',
  secure: url.protocol === 'https:',
  path: '/',
});

export function setCookie(cookies: AstroCookies, url: URL, name: string, value: string): void {
  cookies.set(name, value, options(url));
}

export function forgetTokens(cookies: AstroCookies): void {
  for (const name of [ACCESS_TOKEN, REFRESH_TOKEN, ID_TOKEN]) {
    cookies.delete(name, { path: '/' });
  }
}
