// Before every page: who is it? Verifies the access token and, when it no longer
// holds, gets a new one without the person noticing.
import type { APIContext } from 'astro';
import { defineMiddleware } from 'astro:middleware';
import { ACCESS_TOKEN, forgetTokens, REFRESH_TOKEN, setCookie } from './lib/cookies';
import { redirectTo } from './lib/redirect';
import { type AccessTokenClaims, scalekit, verifyAccessToken } from './lib/scalekit';

const PROTECTED = ['/dashboard'];

export const onRequest = defineMiddleware(async (context, next) => {
  const { pathname } = context.url;
  if (pathname.startsWith('/api/auth/')) return next();

  context.locals.user = await signedInUser(context);

  const isProtected = PROTECTED.some((path) => pathname === path || pathname.startsWith(`${path}/`));
  if (isProtected && !context.locals.user) return redirectTo('/api/auth/login');
  return next();
});

async function signedInUser(context: APIContext): Promise<AccessTokenClaims | undefined> {
  const accessToken = context.cookies.get(ACCESS_TOKEN)?.value;
  const claims = accessToken && (await verifyAccessToken(accessToken));
  return claims || refresh(context);
}

async function refresh({ cookies, url }: APIContext): Promise<AccessTokenClaims | undefined> {
  const refreshToken = cookies.get(REFRESH_TOKEN)?.value;
  if (!refreshToken) return undefined;
  try {
    // As in Scalekit's guide, the first refresh token is kept for the whole session.
    // An application with strict rotation must store `refreshed.refreshToken` too.
    const refreshed = await scalekit.refreshAccessToken(refreshToken);
    setCookie(cookies, url, ACCESS_TOKEN, refreshed.accessToken);
    return await verifyAccessToken(refreshed.accessToken);
  } catch {
    // The session has ended, here or at another application.
    forgetTokens(cookies);
    return undefined;
  }
}
