// Looks at a sample of every page in a real browser.
//
//   cargo test -p genkan every_page
//   node tests/browser/pages.mjs target/pages [name …]
//
// Pictures go to target/pages/pictures. Exits 1 if a page breaks a rule. What a
// running server shows is looked at by doors.test.mjs.

import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { launch } from './support/chromium.mjs';
import { ALL_EYES, Looks } from './support/look.mjs';

/** Looks at one time. More of them only wait for each other: Chromium draws with the processor. */
const AT_ONCE = 3;

/** Replays the answers that the sample test wrote, headers and all. */
async function serve(directory) {
  const load = (path) => JSON.parse(readFileSync(join(directory, `${path}.json`), 'utf8'));
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname.slice(1);
    try {
      const { status, headers, body } = load(path.replaceAll('..', ''));
      response.writeHead(status, headers).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const names = readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -5));
  return { base: `http://127.0.0.1:${server.address().port}`, names, close: () => server.close() };
}

/** Runs what it is given in the order that it came, so many at a time. */
function queue(places) {
  const waiting = [];
  let free = places;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise((go) => waiting.push(go));
    try {
      return await work();
    } finally {
      if (waiting.length > 0) waiting.shift()();
      else free += 1;
    }
  };
}

const [directory, ...given] = process.argv.slice(2);
if (!directory) {
  console.error('usage: node pages.mjs <directory of samples> [name …]');
  process.exit(2);
}
const samples = await serve(directory);
const browser = await launch();
const turn = queue(AT_ONCE);
const pool = new Looks(browser);
const looks = (given.length > 0 ? given : samples.names).map((name) => {
  const visit = (page) => page.goto(`${samples.base}/${name}`);
  return [name, Promise.all(ALL_EYES.map((eyes) => turn(() => pool.look(name, visit, eyes))))];
});
let failed = 0;
for (const [name, looked] of looks) {
  const seen = await looked;
  const bad = seen.filter(({ problems }) => problems.length > 0);
  failed += bad.length;
  console.log(`${bad.length ? '✗' : '✓'} ${name}  ${Math.max(...seen.map(({ weight }) => weight))} bytes, ${seen.length} looks`);
  for (const { eyes, problems } of bad) for (const problem of problems) console.log(`    ${eyes}: ${problem}`);
}
await browser.close();
samples.close();
process.exit(failed ? 1 : 0);
