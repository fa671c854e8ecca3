// Medians of what bench/run measured, as a Markdown table.
//
//   node table.mjs table RESULTS.jsonl [OTHER]             OTHER: peer (oidc-provider) or before (another Genkan)
//   node table.mjs rate RESULTS.jsonl SERVER NAME ROUND    half of the requests a second of that run
import { readFileSync } from 'node:fs';

const [what, file, ...of] = process.argv.slice(2);
const results = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));

if (what === 'rate') {
  const [server, name, round] = of;
  const run = results.find((result) => result.server === server && result.name === name && result.round === Number(round));
  if (!run) throw new Error(`${server} has no run of "${name}" in round ${round}`);
  console.log((run.per_second / 2).toFixed(0));
  process.exit();
}

const other = of[0] || undefined;
const title = { peer: 'oidc-provider', before: 'before' }[other];
if (other && !title) throw new Error(`no server is called ${other}`);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const of_ = (server, name, field) => {
  const values = results.filter((result) => result.server === server && result.name === name).map((result) => result[field]);
  return values.length && values[0] !== undefined ? median(values) : undefined;
};
const number = (value, digits = 0) => (value === undefined ? '—' : value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits }));
const ratio = (genkan, peer) => (genkan && peer ? `${number(genkan / peer, other === 'before' ? 3 : 1)}×` : '—');
const names = [...new Set(results.map((result) => result.name))];
const rows = (field) => names.filter((name) => results.some((result) => result.name === name && field in result));
const line = (...cells) => console.log(`| ${cells.join(' | ')} |`);

// Columns about the other server only where there is one.
const beside = (...cells) => (other ? cells : []);
const head = (...cells) => {
  line(...cells);
  line('---', ...cells.slice(1).map(() => '---:'));
};

const hasDatabase = results.some((result) => result.database_cpu_us > 0);
const database = (cell) => (hasDatabase ? [cell] : []);
head(
  'work',
  'Genkan, per core-second',
  ...database('of it µs Genkan / PostgreSQL'),
  ...beside(title, 'ratio'),
  'Genkan p50 / p99 ms',
  ...beside(`${title} p50 / p99 ms`),
  'load generator busy',
);
for (const name of rows('per_core_second')) {
  const bare = of_('bare', name, 'per_core_second');
  if (bare) {
    line(`aws-lc alone: ${name}`, number(bare), ...database(''), ...beside('', ''), '', ...beside(''), '');
    continue;
  }
  const [genkan, theirs] = ['genkan', other].map((server) => of_(server, name, 'per_core_second'));
  const latency = (server) => `${number(of_(server, name, 'p50_ms'), 2)} / ${number(of_(server, name, 'p99_ms'), 2)}`;
  const busy = Math.max(...results.filter((result) => result.name === name).map((result) => result.load_busy));
  line(
    name,
    number(genkan),
    ...database(`${number(of_('genkan', name, 'cpu_us'))} / ${number(of_('genkan', name, 'database_cpu_us'))}`),
    ...beside(number(theirs), ratio(genkan, theirs)),
    latency('genkan'),
    ...beside(latency(other)),
    `${number(busy * 100)} %`,
  );
}
if (rows('first_answer_ms').length) {
  console.log();
  head('start', 'Genkan', ...beside(title, 'ratio'));
  for (const name of rows('first_answer_ms')) {
    for (const [field, label] of [['first_answer_ms', 'ms'], ['cpu_ms', 'ms of processor'], ['resident_mib', 'MiB resident, idle']]) {
      const [genkan, theirs] = ['genkan', other].map((server) => of_(server, name, field));
      line(`${name}: ${label}`, number(genkan, 1), ...beside(number(theirs, 1), ratio(theirs, genkan)));
    }
  }
}
