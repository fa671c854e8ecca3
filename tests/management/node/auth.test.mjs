// scalekit.auth: what nobody waits for here.
import { describe, it } from 'node:test';
import { sdk } from './support/sdk.mjs';
import { rejects, scalekit, world } from './support/world.mjs';

describe('auth', () => {
  it('updateLoginUserDetails answers NotImplemented, and why', () =>
    rejects(
      scalekit.auth.updateLoginUserDetails(world.connectionId, 'lri_100000000000000000001', { sub: 'ada', email: 'ada@people.test' }),
      sdk.ScalekitNotImplementedException,
      { errorCode: 'UNIMPLEMENTED', message: /MCP servers/ },
    ));
});
