// Run by node-sdk.test.mjs in a process of its own: Node reads the authorities to
// trust when it starts.
import { ScalekitClient } from '@scalekit-sdk/node';

const { SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET } = process.env;
const scalekit = new ScalekitClient(SCALEKIT_ENVIRONMENT_URL, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET);

const claims = await scalekit.validateToken(await scalekit.getClientAccessToken());
const { organizations } = await scalekit.organization.listOrganization({ pageSize: 10 });
console.log(JSON.stringify({ subject: claims.sub, organizations: organizations.map(({ id }) => id) }));
process.exit();
