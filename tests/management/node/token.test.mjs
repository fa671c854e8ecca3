// scalekit.token: API tokens of organizations and their people, seen again over REST.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { sdk, wellKnown } from './support/sdk.mjs';
import { get, invalid, newOrganization, newUser, notFound, rest, scalekit, send, unique } from './support/world.mjs';

describe('token', () => {
  const { token: tokens } = scalekit;
  let organization;
  let user;
  before(async () => {
    organization = await newOrganization({ external_id: unique('crm-') });
    user = await newUser(organization.id, { external_id: unique('crm-') });
  });

  const validate = (token) => rest('POST', '/api/v1/tokens:validate', { token });
  const make = async (fields = {}) => send('POST', '/api/v1/tokens', { organization_id: organization.id, ...fields });
  const refused = (promise) => assert.rejects(promise, sdk.ScalekitValidateTokenFailureException);

  it('createToken makes a token of an organization or of a person', async () => {
    const expiry = wellKnown.timestampFromDate(new Date(Date.now() + 3_600_000));
    const { token, tokenId, tokenInfo } = await tokens.createToken(organization.id, {
      userId: user.id, customClaims: { plan: 'gold' }, description: 'For the night job', expiry,
    });
    assert.match(tokenId, /^apit_\d{15,21}$/);
    assert.ok(token.endsWith(tokenInfo.tokenSuffix));
    const seen = (await validate(token)).body.token_info;
    assert.equal(seen.token_id, tokenId);
    assert.deepEqual([seen.organization_id, seen.organization_external_id], [organization.id, organization.external_id]);
    assert.deepEqual([seen.user_id, seen.user_external_id, seen.email], [user.id, user.external_id, user.email]);
    assert.deepEqual(seen.custom_claims, { plan: 'gold' });
    assert.equal(seen.description, 'For the night job');
    assert.deepEqual(seen.roles, user.memberships[0].roles.map(({ name }) => name));
    assert.equal(Date.parse(seen.expiry), Number(expiry.seconds) * 1000 + Math.floor(expiry.nanos / 1e6));

    const plain = await tokens.createToken(organization.id);
    assert.equal(plain.tokenInfo.userId, undefined);
    await notFound(tokens.createToken('org_100000000000000000001'));
    await notFound(tokens.createToken(organization.id, { userId: 'usr_100000000000000000001' }));
    await invalid(tokens.createToken(organization.id, { customClaims: { ['k'.repeat(31)]: 'x' } }), /custom_claims/);
  });

  it('validateToken knows a token by itself and by its identifier, and refuses every other', async () => {
    const made = await make({ description: 'Either way' });
    for (const way of [made.token, made.token_id]) {
      assert.equal((await tokens.validateToken(way)).tokenInfo.tokenId, made.token_id);
    }
    await refused(tokens.validateToken('nonsense'));
    await refused(tokens.validateToken('apit_100000000000000000001'));
    await refused(tokens.validateToken(`${made.token.slice(0, -1)}${made.token.endsWith('A') ? 'B' : 'A'}`));
  });

  it('listTokens pages through an organization’s tokens, and those of one person', async () => {
    const of = (await newOrganization()).id;
    const person = (await newUser(of)).id;
    const made = [];
    for (const user_id of ['', person, '']) made.unshift((await make({ organization_id: of, user_id })).token_id);
    const first = await tokens.listTokens(of, { pageSize: 2 });
    assert.deepEqual(first.tokens.map(({ tokenId }) => tokenId), made.slice(0, 2));
    assert.equal(first.totalCount, 3);
    const second = await tokens.listTokens(of, { pageSize: 2, pageToken: first.nextPageToken });
    assert.deepEqual(second.tokens.map(({ tokenId }) => tokenId), made.slice(2));
    assert.deepEqual((await tokens.listTokens(of, { userId: person })).tokens.map(({ tokenId }) => tokenId), [made[1]]);
    assert.equal((await get(`/api/v1/tokens?organization_id=${of}`)).tokens.length, 3);
    await notFound(tokens.listTokens('org_100000000000000000001'));
    await invalid(tokens.listTokens(of, { pageSize: 31 }), /page_size/);
  });

  it('updateToken replaces the claims, or leaves them', async () => {
    const made = await make({ custom_claims: { plan: 'gold', seat: '7' } });
    await tokens.updateToken(made.token_id, { customClaims: { plan: 'silver' } });
    assert.deepEqual((await validate(made.token)).body.token_info.custom_claims, { plan: 'silver' });
    await tokens.updateToken(made.token, { description: 'Described' });
    const seen = (await validate(made.token)).body.token_info;
    assert.deepEqual([seen.custom_claims, seen.description], [{ plan: 'silver' }, 'Described']);
    await notFound(tokens.updateToken('apit_100000000000000000001', { description: 'x' }));
  });

  it('invalidateToken ends it, and may be repeated', async () => {
    const made = await make();
    assert.equal((await validate(made.token)).status, 200);
    await tokens.invalidateToken(made.token);
    assert.equal((await validate(made.token)).status, 404);
    await refused(tokens.validateToken(made.token_id));
    await tokens.invalidateToken(made.token);
  });
});
