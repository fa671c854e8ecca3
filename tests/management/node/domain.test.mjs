// scalekit.domain: every method, seen again over REST and the command line.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { messages } from './support/sdk.mjs';
import { cli, get, gone, invalid, newOrganization, notFound, rejects, scalekit, unique } from './support/world.mjs';

const { DomainType, VerificationStatus } = messages('domains/domains');

describe('domain', () => {
  const { domain: domains } = scalekit;
  let organization;
  before(async () => (organization = (await newOrganization()).id));

  const path = (id, of = organization) => `/api/v1/organizations/${of}/domains/${id}`;

  it('createDomain gives a domain to an organization', async () => {
    const name = `${unique('acme')}.test`;
    const { domain } = await domains.createDomain(organization, name, { domainType: 'ORGANIZATION_DOMAIN' });

    assert.match(domain.id, /^dom_\d{15,21}$/);
    const seen = (await get(path(domain.id))).domain;
    assert.equal(seen.domain, name);
    assert.equal(seen.domain_type, 'ORGANIZATION_DOMAIN');
    assert.equal(seen.organization_id, organization);
    assert.equal(seen.verification_status, VerificationStatus[domain.verificationStatus]);
    const { domains: listed } = await cli('domain', 'list', '--organization', organization);
    assert.ok(JSON.stringify(listed).includes(name));
  });

  it('createDomain refuses what is no domain, what is taken, and an unknown organization', async () => {
    const name = `${unique('acme')}.test`;
    await domains.createDomain(organization, name, { domainType: 'ORGANIZATION_DOMAIN' });
    const other = (await newOrganization()).id;
    await assert.rejects(domains.createDomain(other, name, { domainType: 'ORGANIZATION_DOMAIN' }), /exists|taken|belongs|already/i);
    await invalid(domains.createDomain(organization, 'no'), /domain/);
    await rejects(domains.createDomain(organization, 'not a domain'), { name: 'ScalekitBadRequestException' }, { message: /domain/ });
    await notFound(domains.createDomain('org_100000000000000000001', `${unique('x')}.test`));
  });

  it('getDomain shows a domain to its own organization only', async () => {
    const name = `${unique('acme')}.test`;
    const { domain } = await domains.createDomain(organization, name, { domainType: DomainType.ALLOWED_EMAIL_DOMAIN });
    const found = (await domains.getDomain(organization, domain.id)).domain;
    assert.equal(found.domain, name);
    assert.equal(found.domainType, DomainType.ALLOWED_EMAIL_DOMAIN);
    assert.equal((await get(path(domain.id))).domain.domain, name);

    const other = (await newOrganization()).id;
    await notFound(domains.getDomain(other, domain.id), /domain not found/);
    await gone(path(domain.id, other));
  });

  it('listDomains lists all, or those of one type', async () => {
    const of = (await newOrganization()).id;
    const names = { ORGANIZATION_DOMAIN: `${unique('own')}.test`, ALLOWED_EMAIL_DOMAIN: `${unique('mail')}.test` };
    for (const [domainType, name] of Object.entries(names)) await domains.createDomain(of, name, { domainType });

    const all = (await domains.listDomains(of)).domains.map(({ domain }) => domain).sort();
    assert.deepEqual(all, Object.values(names).sort());
    const own = (await domains.listDomains(of, { domainType: 'ORGANIZATION_DOMAIN' })).domains.map(({ domain }) => domain);
    assert.deepEqual(own, [names.ORGANIZATION_DOMAIN]);
    assert.equal((await get(`/api/v1/organizations/${of}/domains`)).domains.length, 2);
  });

  it('deleteDomain takes it away', async () => {
    const { domain } = await domains.createDomain(organization, `${unique('acme')}.test`);
    const other = (await newOrganization()).id;
    await notFound(domains.deleteDomain(other, domain.id));
    await domains.deleteDomain(organization, domain.id);
    await gone(path(domain.id));
    await notFound(domains.deleteDomain(organization, domain.id));
  });
});
