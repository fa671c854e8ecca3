// Medians of what bench/saml/login measured, as a Markdown table.
//
//   node table.mjs RESULTS.jsonl
import { readFileSync } from 'node:fs';

const results = readFileSync(process.argv[2], 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const of = (server, name) => results.filter((result) => result.server === server && result.name === name);
const milliseconds = (micros) => (micros / 1000).toFixed(2);
const cost = (runs) => median(runs.map((run) => run.cpu_us));
const each = (runs) => (runs.length ? runs.map((run) => milliseconds(run.cpu_us)).join(', ') : '—');

console.log('| login | Genkan, ms of processor | each round | saml-jackson | each round | ratio | p50 / p99 ms |');
console.log('| --- | ---: | --- | ---: | --- | ---: | ---: |');
for (const name of new Set(results.map((result) => result.name))) {
  const [genkan, jackson] = [of('genkan', name), of('jackson', name)];
  const clock = ['p50_ms', 'p99_ms'].map((field) => median(genkan.map((run) => run[field])).toFixed(1)).join(' / ');
  const beside = jackson.length
    ? [milliseconds(cost(jackson)), each(jackson), `${(cost(jackson) / cost(genkan)).toFixed(1)}×`]
    : ['—', '—', '—'];
  console.log(`| ${[name, milliseconds(cost(genkan)), each(genkan), ...beside, clock].join(' | ')} |`);
}
