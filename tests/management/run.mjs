// Runs the official SDKs' programs against gateways of their own, and writes what came of it.
//
//   node run.mjs node [--only=RUN] [FILE…]        @scalekit-sdk/node: http and https on SQLite, http on PostgreSQL
//   node run.mjs python [--only=RUN] [ARGUMENT…]  scalekit-sdk-python: https on SQLite and on PostgreSQL
//   node run.mjs table [--write]                  compares the results with docs/reference/sdk-compatibility.md
//
// RUN is such as http-SQLite: one of these alone, for who works on a test.
// PYTHON: an interpreter with tests/clients/requirements.txt. GENKAN_BIN and
// GENKAN_TEST_POSTGRES as in support/genkan.mjs. Each run leaves its results in
// target/sdk-compatibility, and `table` reads them there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { engines, Genkan } from '../support/genkan.mjs';
import { Mailbox } from '../support/mailbox.mjs';
import { Company } from '../clients/support/company.mjs';
import { joinCompany, World } from '../clients/support/world.mjs';
import { insertDirectory, insertPasskeys } from './support/rows.mjs';
import { table } from './support/table.mjs';

const HERE = import.meta.dirname;
const RESULTS = path.resolve(HERE, '../../target/sdk-compatibility');
const RUNS = {
  node: [['http', 'SQLite'], ['https', 'SQLite'], ['http', 'PostgreSQL']],
  python: [['https', 'SQLite'], ['https', 'PostgreSQL']],
};

/** How each program is started, given more arguments. */
const PROGRAMS = {
  node: (files) => [process.execPath, '--test', '--test-force-exit', '--test-reporter=spec', ...(files.length ? files : [path.join(HERE, 'node/')])],
  python: (more) => [process.env.PYTHON ?? 'python3', '-m', 'pytest', '--color=no', '--rootdir', path.join(HERE, 'python'), '-c', path.join(HERE, 'python/pytest.ini'), ...(more.length ? more : [path.join(HERE, 'python')])],
};

const [what, ...more] = process.argv.slice(2);
if (what === 'table') {
  process.exitCode = await table(RESULTS, { write: more.includes('--write') });
} else if (what in RUNS) {
  process.exitCode = await runAll(what, more);
} else {
  console.error('usage: run.mjs node|python|table');
  process.exitCode = 2;
}

async function runAll(sdk, words) {
  const only = words.find((word) => word.startsWith('--only='))?.slice('--only='.length);
  const more = words.filter((word) => !word.startsWith('--only='));
  await rm(path.join(RESULTS, sdk), { recursive: true, force: true });
  await mkdir(path.join(RESULTS, sdk), { recursive: true });
  let failed = 0;
  for (const [scheme, engine] of RUNS[sdk]) {
    if (only && only !== `${scheme}-${engine}`) continue;
    if (!engines().includes(engine)) {
      console.log(`\nnot run on ${engine}: GENKAN_TEST_POSTGRES is not set`);
      continue;
    }
    console.log(`\n${sdk} over ${scheme} with Genkan on ${engine}`);
    failed += (await run(sdk, { scheme, engine, more })) ? 0 : 1;
  }
  return failed ? 1 : 0;
}

/** One SDK against one gateway; true if its program succeeded. */
async function run(sdk, { scheme, engine, more }) {
  const stop = [];
  try {
    const folder = await mkdtemp(path.join(tmpdir(), 'genkan-management-'));
    stop.push(() => rm(folder, { recursive: true, force: true }));
    const tls = engine === 'PostgreSQL' && scheme === 'https' ? await certificates(stop) : undefined;
    const mailbox = await Mailbox.start(path.join(folder, 'mail.jsonl'));
    stop.push(() => mailbox.stop());
    // The SDKs' own suites present the identifiers of API tokens. `genkan dev` takes them unasked.
    const env = {
      GENKAN_MAIL_SMTP_URL: mailbox.url,
      GENKAN_MAIL_FROM: 'genkan@portal.test',
      GENKAN_API_VALIDATE_TOKENS_BY_IDENTIFIER: 'true',
    };
    const world = await World.start(engine, { tls, env });
    stop.push(() => world.stop());
    const company = await Company.start();
    stop.push(() => company.stop());
    const description = path.join(folder, 'world.json');
    await writeFile(description, JSON.stringify(await describe(world, { scheme, engine, company, mailbox, tls, sdk })));

    const authority = tls?.authority ?? world.genkan.env?.GENKAN_CA_FILE;
    const trust = authority && { NODE_EXTRA_CA_CERTS: authority, REQUESTS_CA_BUNDLE: authority, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: authority };
    const [command, ...args] = PROGRAMS[sdk](more);
    const program = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...trust, MANAGEMENT_WORLD: description } });
    const [code] = await once(program, 'exit');
    if (code !== 0) console.log(world.genkan.output.split('\n').slice(-40).join('\n'));
    return code === 0;
  } finally {
    for (const step of stop.reverse()) await step();
  }
}

/** A certificate for this machine, from the authority that `genkan dev` makes. */
async function certificates(stop) {
  const genkan = await Genkan.dev();
  stop.push(() => genkan.stop());
  return { certificates: path.join(genkan.dataDir, 'tls.pem'), authority: genkan.env.GENKAN_CA_FILE };
}

/** What a program has to know of the gateway. */
async function describe(world, { scheme, engine, company, mailbox, tls, sdk }) {
  const { genkan } = world;
  const spare = await joinCompany(genkan, company, { domain: 'spare.test' });
  const { host } = new URL(world.issuer);
  return {
    run: `${scheme}, ${engine}`,
    engine,
    url: `${scheme}://${host}`,
    issuer: world.issuer,
    clientId: world.clientId,
    clientSecret: world.clientSecret,
    organizationId: world.organizationId,
    connectionId: world.connectionId,
    email: world.email,
    redirectUri: world.redirectUri,
    postLogoutUri: world.postLogoutUri,
    // An organization whose connection a test may switch off.
    spare: { ...spare, email: 'grace.hopper@spare.test', issuer: company.issuer },
    authority: tls?.authority ?? genkan.env?.GENKAN_CA_FILE,
    commandLine: genkan.target,
    mail: mailbox.file,
    passkeys: await insertPasskeys(genkan, 3),
    provisioned: await insertDirectory(genkan),
    results: path.join(RESULTS, sdk),
  };
}
