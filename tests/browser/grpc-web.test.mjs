// gRPC-Web from a page: npm @connectrpc/connect-web in Chromium, from the origin of an
// application and from another one.
//
// Sources: gRPC-Web protocol (PROTOCOL-WEB.md), Fetch standard (CORS protocol).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Genkan } from '../support/genkan.mjs';
import { inNewBrowser, launch } from './support/chromium.mjs';

const MODULES = path.join(import.meta.dirname, 'node_modules');
const DESCRIPTORS = path.resolve(import.meta.dirname, '../../crates/contract/src/generated/descriptors.binpb');
const ORGANIZATIONS = 'scalekit.v1.organizations.OrganizationService';

const PAGE = `<!doctype html><title>An application</title>
<script type="importmap">{ "imports": {
  "@bufbuild/protobuf": "/modules/@bufbuild/protobuf/dist/esm/index.js",
  "@bufbuild/protobuf/codegenv2": "/modules/@bufbuild/protobuf/dist/esm/codegenv2/index.js",
  "@bufbuild/protobuf/wire": "/modules/@bufbuild/protobuf/dist/esm/wire/index.js",
  "@bufbuild/protobuf/wkt": "/modules/@bufbuild/protobuf/dist/esm/wkt/index.js",
  "@connectrpc/connect": "/modules/@connectrpc/connect/dist/esm/index.js",
  "@connectrpc/connect/protocol": "/modules/@connectrpc/connect/dist/esm/protocol/index.js",
  "@connectrpc/connect/protocol-connect": "/modules/@connectrpc/connect/dist/esm/protocol-connect/index.js",
  "@connectrpc/connect/protocol-grpc-web": "/modules/@connectrpc/connect/dist/esm/protocol-grpc-web/index.js",
  "@connectrpc/connect-web": "/modules/@connectrpc/connect-web/dist/esm/index.js"
} }</script>
<script type="module">
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';

const bytes = new Uint8Array(await (await fetch('/descriptors.binpb')).arrayBuffer());
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));

window.call = async (baseUrl, token, service, method, request) => {
  const headers = token ? { authorization: 'Bearer ' + token } : {};
  const client = createClient(registry.getService(service), createGrpcWebTransport({ baseUrl }));
  try {
    const { organization, organizations } = await client[method](request, { headers });
    return { id: organization?.id, displayName: organization?.displayName, many: organizations?.length };
  } catch (error) {
    const { code, rawMessage, details } = ConnectError.from(error);
    return { code: Code[code], message: rawMessage, details: details.map(({ type }) => type) };
  }
};
</script>`;

describe('gRPC-Web from a page in Chromium', () => {
  let genkan;
  let browser;
  let token;
  let application;
  let stranger;

  before(async () => {
    genkan = await Genkan.dev();
    browser = await launch();
    token = await clientToken(genkan);
    [application, stranger] = await Promise.all([serve('localhost'), serve('stranger.test')]);
    await genkan.cli('app', 'create', '--name', 'Portal', '--type', 'spa', '--redirect-uri', `${application.origin}/callback`);
  });
  after(async () => {
    await browser?.close();
    await genkan?.stop();
    for (const served of [application, stranger]) served?.server.close();
  });

  /** Runs `steps` with a page that can call the management API. */
  const on = ({ origin }, steps) => inNewBrowser(browser, 'grpc-web', async (page) => {
    await page.goto(`${origin}/`);
    await page.waitForFunction(() => window.call);
    return steps((...words) => page.evaluate((all) => window.call(...all), words));
  });

  it('a page of an application’s origin creates an organization and reads it', () =>
    on(application, async (call) => {
      const made = await call(genkan.url, token, ORGANIZATIONS, 'createOrganization', { organization: { displayName: 'From a page' } });
      assert.match(made.id ?? JSON.stringify(made), /^org_/);
      const seen = await (await fetch(`${genkan.url}/api/v1/organizations/${made.id}`, { headers: { authorization: `Bearer ${token}` } })).json();
      assert.equal(seen.organization.display_name, 'From a page');
      assert.equal((await call(genkan.url, token, ORGANIZATIONS, 'listOrganization', { pageSize: 1 })).many, 1);
    }));

  it('such a page sees the error and its details', () =>
    on(application, async (call) => {
      const missing = { identities: { case: 'id', value: 'org_100000000000000000001' } };
      assert.deepEqual(await call(genkan.url, token, ORGANIZATIONS, 'getOrganization', missing), {
        code: 'NotFound', message: 'organization not found', details: ['scalekit.v1.errdetails.ErrorInfo'],
      });
      assert.equal((await call(genkan.url, undefined, ORGANIZATIONS, 'listOrganization', {})).code, 'Unauthenticated');
    }));

  it('a page of any other origin gets no answer', () =>
    on(stranger, async (call) => {
      const answer = await call(genkan.url, token, ORGANIZATIONS, 'listOrganization', { pageSize: 1 });
      assert.equal(answer.code, 'Unknown', JSON.stringify(answer));
      assert.match(answer.message, /Failed to fetch/);
    }));
});

/** An application's own server: a page, the libraries, and the description of the API. */
async function serve(host) {
  const server = http.createServer(async ({ url }, response) => {
    const answer = (type, body) => response.writeHead(200, { 'content-type': type }).end(body);
    if (url === '/') return answer('text/html', PAGE);
    if (url === '/descriptors.binpb') return answer('application/octet-stream', await readFile(DESCRIPTORS));
    if (url.startsWith('/modules/')) return answer('text/javascript', await readFile(path.join(MODULES, url.slice('/modules/'.length))));
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, origin: `http://${host}:${server.address().port}` };
}

async function clientToken({ url, env }) {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: env.SCALEKIT_CLIENT_ID, client_secret: env.SCALEKIT_CLIENT_SECRET });
  const response = await fetch(`${url}/oauth/token`, { method: 'POST', body });
  return (await response.json()).access_token;
}
