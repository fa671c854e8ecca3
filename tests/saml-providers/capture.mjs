// Takes genuine answers of a provider home, as test data for the protocol's own tests:
// node capture.mjs samlp|simplesamlphp|lemonldap FOLDER
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UserAgent } from '../support/user-agent.mjs';
import { keyPair } from './support/keys.mjs';
import { answerTo, goOn } from '../support/person.mjs';
import { providers } from './support/providers.mjs';
import { ServiceProvider, singleSignOn } from './support/service-provider.mjs';

const [name, target] = process.argv.slice(2);
const { start, shapes, credentials, initiate } = providers[name];
const folder = await mkdtemp(path.join(tmpdir(), 'genkan-capture-'));
const decryption = await keyPair(folder, 'sp-decryption');
const serviceProvider = new ServiceProvider({
  entityId: 'https://sp.example/saml/metadata', acsUrl: 'http://localhost:18099/acs', encryptionCertificate: decryption.certificate,
});
const provider = await start({ folder: path.join(folder, 'provider') });
try {
  await mkdir(target, { recursive: true });
  const keep = (file, content) => writeFile(path.join(target, file), content);
  await provider.trust?.(serviceProvider.metadata);
  const metadata = await (await fetch(provider.metadataUrl)).text();
  const info = { provider: name, acs_url: serviceProvider.acsUrl, sp_entity_id: serviceProvider.entityId, idp_entity_id: provider.entityId, responses: {} };
  for (const shape of Object.keys(shapes)) {
    await shapes[shape](provider, serviceProvider);
    const browser = new UserAgent();
    const request = shape === 'unsolicited' ? undefined : serviceProvider.request(singleSignOn(metadata), shape === 'persistent' ? shape : undefined);
    const first = await browser.open(request?.url ?? initiate(provider, serviceProvider));
    const isEnd = answerTo(serviceProvider.acsUrl);
    const page = await goOn(browser, first, { credentials, isEnd });
    const form = isEnd(page);
    if (!form) throw new Error(`${shape}: no answer\n${page.describe()}\n${page.body.slice(0, 4000)}\n${provider.output ?? ''}`);
    const value = (control) => form.controls.find(({ name: it }) => it === control)?.value;
    const answer = value('SAMLResponse');
    await keep(`${shape}.b64`, answer);
    info.responses[shape] = { request_id: request?.id ?? null, clock: new Date().toISOString(), relay_state: value('RelayState') ?? null };
  }
  await keep('idp-metadata.xml', metadata);
  await keep('idp-signing.crt', provider.certificate);
  await keep('info.json', `${JSON.stringify(info, null, 2)}\n`);
  if (Object.keys(shapes).some((shape) => shape.includes('encrypted'))) {
    await keep('sp-decryption.crt', decryption.certificate);
    // Without the header of PEM, so that no scanner takes a test's key for a leaked one.
    await keep('sp-decryption.pkcs8.b64', `${(await readFile(decryption.keyFile, 'utf8')).replaceAll(/-----[^-]+-----|\n/g, '')}\n`);
  }
} finally {
  await provider.stop();
  await rm(folder, { recursive: true, force: true });
}
