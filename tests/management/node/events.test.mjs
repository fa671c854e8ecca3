// scalekit.events: what happened, seen again over REST and the command line.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wellKnown } from './support/sdk.mjs';
import { cli, get, invalid, newOrganization, newUser, scalekit, send } from './support/world.mjs';

describe('events', () => {
  const { events } = scalekit;

  it('listEventsPaginated shows what happened in an organization, the newest first', async () => {
    const { id: organizationId, display_name } = await newOrganization();
    await newUser(organizationId);
    await send('PATCH', `/api/v1/organizations/${organizationId}`, { display_name: 'Renamed' });

    const { events: all } = await events.listEventsPaginated(100, undefined, { organizationId });
    assert.equal(all[0].type, 'organization.updated');
    assert.equal(all.at(-1).type, 'organization.created');
    assert.ok(all.some(({ type }) => type === 'user.organization_membership_created'));
    for (const event of all) {
      assert.match(event.id, /^evt_\d{15,21}$/);
      assert.match(event.environmentId, /^env_/);
      assert.equal(event.organizationId, organizationId);
    }
    assert.ok(JSON.stringify(all.at(-1).data).includes(organizationId), `made as ${display_name}`);
    const told = await cli('event', 'list', '--organization', organizationId);
    assert.deepEqual(told.events.map(({ id }) => id), all.map(({ id }) => id));
  });

  it('listEventsPaginated pages and filters', async () => {
    const { id: organizationId } = await newOrganization();
    for (const display_name of ['One', 'Two', 'Three']) await send('PATCH', `/api/v1/organizations/${organizationId}`, { display_name });
    const filter = { organizationId, eventTypes: ['organization.updated'] };
    const first = await events.listEventsPaginated(2, undefined, filter);
    assert.equal(first.events.length, 2);
    const second = await events.listEventsPaginated(2, first.nextPageToken, filter);
    assert.equal(second.events.length, 1);
    assert.equal(second.nextPageToken, '');
    assert.deepEqual(new Set([...first.events, ...second.events].map(({ type }) => type)), new Set(['organization.updated']));
    const later = { organizationId, startTime: wellKnown.timestampFromDate(new Date(Date.now() + 3_600_000)) };
    assert.deepEqual((await events.listEventsPaginated(10, undefined, later)).events, []);
    const seen = await send('POST', '/api/v1/events/paginated?page_size=10', { organization_id: organizationId, event_types: ['organization.updated'] });
    assert.equal(seen.events.length, 3);
    await invalid(events.listEventsPaginated(10, 'nonsense'), /page_token/);
    await get('/api/v1/organizations');
  });
});
