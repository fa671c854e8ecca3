// The gateway that run.mjs started: through the SDK, and by other ways to see what the SDK did.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Genkan } from '../../../support/genkan.mjs';
import { signIn as walk } from '../../../support/sign-in.mjs';
import { UserAgent } from '../../../support/user-agent.mjs';
import { Recorder } from './recorder.mjs';
import { sdk } from './sdk.mjs';

const { MANAGEMENT_WORLD } = process.env;
if (!MANAGEMENT_WORLD) throw new Error('these tests are started by tests/management/run.mjs');
export const world = JSON.parse(readFileSync(MANAGEMENT_WORLD, 'utf8'));

const recorder = new Recorder();
process.on('exit', () => recorder.write(world));

/** Scalekit's SDK, unmodified but watched. */
export const scalekit = client(world.clientId, world.clientSecret);

/** The same for another application. */
export function client(clientId, clientSecret) {
  return recorder.watch(new sdk.ScalekitClient(world.url, clientId, clientSecret));
}

const genkan = Genkan.at(world.commandLine);

/** `genkan … --json` on the gateway's data. */
export const cli = (...words) => genkan.cli(...words);

/** A client token, fetched as RFC 6749 §4.4 says and without the SDK. */
export async function clientToken(clientId = world.clientId, clientSecret = world.clientSecret) {
  const response = await fetch(`${world.issuer}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }),
  });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body.access_token;
}

let kept;

/** One REST request: `{status, body}`. */
export async function rest(method, path, body, { token } = {}) {
  token ??= await (kept ??= clientToken());
  const response = await fetch(new URL(path, world.issuer), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : undefined };
}

/** What REST says is there. */
export async function get(path) {
  const { status, body } = await rest('GET', path);
  assert.equal(status, 200, `GET ${path}: ${JSON.stringify(body)}`);
  return body;
}

/** Changes something over REST. */
export async function send(method, path, body) {
  const answer = await rest(method, path, body);
  assert.ok(answer.status === 200 || answer.status === 201, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Asserts that REST finds nothing there. */
export async function gone(path) {
  const { status, body } = await rest('GET', path);
  assert.equal(status, 404, `GET ${path}: ${JSON.stringify(body)}`);
}

/** A name that no other test uses. */
export function unique(word) {
  return `${word}${randomBytes(5).toString('hex')}`;
}

/** An organization of the test's own, made over REST. */
export async function newOrganization(fields = {}) {
  const { organization } = await send('POST', '/api/v1/organizations', { display_name: unique('Organization '), ...fields });
  return organization;
}

/** A member of the organization, made over REST and not invited. */
export async function newUser(organizationId, fields = {}) {
  const path = `/api/v1/organizations/${organizationId}/users?send_invitation_email=false`;
  const { user } = await send('POST', path, { email: `${unique('person')}@people.test`, ...fields });
  return user;
}

/** A browser that nobody has used. */
export function browser() {
  return new UserAgent({ ca: world.authority && readFileSync(world.authority) });
}

/** Signs a person in and redeems the code without the SDK: the token answer. */
export async function signIn({ email = world.email, agent = browser(), scope = 'openid profile email offline_access', ...more } = {}) {
  const query = new URLSearchParams({ response_type: 'code', client_id: world.clientId, redirect_uri: world.redirectUri, scope, ...more });
  const callback = await walk(agent, `${world.issuer}/oauth/authorize?${query}`, { email, until: world.redirectUri });
  const code = callback.searchParams.get('code');
  assert.ok(code, `no code: ${callback.search}`);
  return token({ grant_type: 'authorization_code', code, redirect_uri: world.redirectUri });
}

/** The token endpoint, as the application of the tests. */
export async function token(parameters) {
  const response = await fetch(`${world.issuer}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: world.clientId, client_secret: world.clientSecret, ...parameters }),
  });
  const body = await response.json();
  return { status: response.status, ...body };
}

/** The mail that came to an address, once it is there; `skip` leaves out the first ones. */
export async function mail(address, skip = 0) {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    const all = readFileSync(world.mail, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const found = all.filter(({ to }) => to === address)[skip];
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no mail came to ${address}`);
}

/** What a JWT says; nobody has to believe it. */
export function claims(jwt) {
  return JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());
}

/** Asserts the class of the SDK's exception, Genkan's error code, and a word of the message. */
export async function rejects(promise, exception, { errorCode, message = /\w+ \w+/ } = {}) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.constructor.name, exception.name, error.message);
    if (errorCode) assert.equal(error.errorCode, errorCode);
    assert.match(error.message, message);
    return true;
  });
}

export const notFound = (promise, message) => rejects(promise, sdk.ScalekitNotFoundException, { errorCode: 'RESOURCE_NOT_FOUND', message });
export const conflict = (promise, message) => rejects(promise, sdk.ScalekitConflictException, { errorCode: 'ALREADY_EXISTS', message });
export const badRequest = (promise, message) => rejects(promise, sdk.ScalekitBadRequestException, { message });
export const invalid = (promise, message) => rejects(promise, sdk.ScalekitBadRequestException, { errorCode: 'INVALID_ARGUMENT', message });
