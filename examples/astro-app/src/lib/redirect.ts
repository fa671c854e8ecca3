// A redirect that cookies can still be added to.

/**
 * Sends the browser to `location` with 302.
 *
 * Not `Response.redirect()`: its headers are immutable, and Astro's Node adapter
 * adds the cookies to the very response that the route returned.
 */
export function redirectTo(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}
