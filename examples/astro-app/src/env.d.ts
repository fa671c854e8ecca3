// What the middleware hands to the pages.
declare namespace App {
  interface Locals {
    /** Claims of the verified access token; absent while nobody is signed in. */
    user?: import('./lib/scalekit').AccessTokenClaims;
  }
}
