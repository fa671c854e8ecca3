// GET /api/auth/logout: forgets the tokens here and ends the session at the identity provider.
import type { APIRoute } from 'astro';
import { forgetTokens, ID_TOKEN } from '../../../lib/cookies';
import { redirectTo } from '../../../lib/redirect';
import { scalekit } from '../../../lib/scalekit';

export const GET: APIRoute = ({ cookies, url }) => {
  const idTokenHint = cookies.get(ID_TOKEN)?.value;
  forgetTokens(cookies);
  return redirectTo(scalekit.getLogoutUrl({ idTokenHint, postLogoutRedirectUri: url.origin }));
};
