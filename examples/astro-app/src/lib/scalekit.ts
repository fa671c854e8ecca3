// The one Scalekit client of this application, and what it takes from a token.
import { ScalekitClient } from '@scalekit-sdk/node';
import {
  SCALEKIT_CLIENT_ID,
  SCALEKIT_CLIENT_SECRET,
  SCALEKIT_ENVIRONMENT_URL,
  SCALEKIT_REDIRECT_URI,
} from 'astro:env/server';

export const scalekit = new ScalekitClient(
  SCALEKIT_ENVIRONMENT_URL,
  SCALEKIT_CLIENT_ID,
  SCALEKIT_CLIENT_SECRET,
);

export const redirectUri = SCALEKIT_REDIRECT_URI;

/** The claims this application reads. */
export interface AccessTokenClaims {
  sub: string;
  name?: string;
  email?: string;
  oid?: string;
  roles?: string[];
}

/**
 * Verifies signature, expiry, issuer and audience of an access token.
 *
 * Returns its claims, or `undefined` when any of them does not hold.
 */
export async function verifyAccessToken(token: string): Promise<AccessTokenClaims | undefined> {
  try {
    return await scalekit.validateToken<AccessTokenClaims>(token, {
      issuer: SCALEKIT_ENVIRONMENT_URL,
      audience: [SCALEKIT_CLIENT_ID],
    });
  } catch {
    return undefined;
  }
}
