// Writes many organizations and users as files that `genkan import` reads.
//
//   node bench/big/generate.mjs FOLDER [ORGANIZATIONS] [USERS]
//
// organizations.csv (external id, name, a domain, metadata) and users.jsonl (one membership
// each, one in fifty with two). The same numbers give the same files.

import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";

const [folder, organizations = "100000", users = "1000000"] = process.argv.slice(2);
if (!folder) throw new Error("usage: node bench/big/generate.mjs FOLDER [ORGANIZATIONS] [USERS]");

// A small generator (mulberry32), so that every run writes the same.
let state = 20261122;
const random = (below) => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
};
const one = (list) => list[random(list.length)];

const first = "Ada Alan Anna Bob Carla Chen Clara Dario Edsger Elif Emma Fatima Grace Hana Hugo Ines Ivan Jan Jorge Karim Ken Lea Linus Luca Maria Mei Mia Noah Nora Olga Omar Paul Pia Ravi Rosa Sara Sofia Tim Uma Vera Yuki Zoe".split(" ");
const last = "Abe Bauer Becker Brown Costa Dubois Fischer Garcia Haas Hopper Ito Jensen Kaya Khan Kim Klein Knuth Kowalski Lang Lee Lopez Lovelace Meyer Moreau Müller Nguyen Nowak Okafor Patel Rossi Sato Schmidt Silva Singh Smith Tanaka Torvalds Turing Wagner Wang Weber Yilmaz".split(" ");
const adjective = "Alpine Amber Apex Arctic Atlas Azure Blue Bright Cedar Civic Cobalt Copper Crystal Delta Dynamic Eastern Elite Emerald First Forest Global Golden Grand Green Harbor Iron Lunar Maple Metro Modern Nordic Northern Oak Omega Pacific Pioneer Polar Prime Quantum Rapid Royal Silver Solar Stellar Summit Swift True United Urban Vertex Vital West".split(" ");
const noun = "Analytics Bank Biotech Capital Clinics Cloud Consulting Dental Design Energy Engineering Finance Foods Freight Games Health Holdings Hotels Insurance Labs Legal Logistics Media Motors Networks Optics Partners Pharma Robotics Security Software Solar Steel Studios Systems Telecom Textiles Trading Travel Ventures".split(" ");
const form = "GmbH Inc Ltd AG LLC SA KK BV".split(" ");

const plain = (text) => text.normalize("NFKD").replace(/[^A-Za-z]/g, "").toLowerCase();

const write = async (name, count, line, heading) => {
  const file = createWriteStream(join(folder, name));
  if (heading) file.write(`${heading}\n`);
  for (let number = 0; number < count; number += 1) {
    if (!file.write(`${line(number)}\n`)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
};

await write(
  "organizations.csv",
  Number(organizations),
  (n) => `crm-${n},${one(adjective)} ${one(noun)} ${n} ${one(form)},company-${n}.test,${one(["free", "team", "enterprise"])}`,
  "external_id,name,domains,metadata.plan",
);
await write("users.jsonl", Number(users), (n) => {
  const [given_name, family_name] = [one(first), one(last)];
  const home = n % Number(organizations);
  const user = {
    email: `${plain(given_name)}.${plain(family_name)}.${n}@company-${home}.test`,
    given_name,
    family_name,
    external_id: `hr-${n}`,
    memberships: [{ organization: `crm-${home}` }],
  };
  if (n % 50 === 0) user.memberships.push({ organization: `crm-${(home + 1) % Number(organizations)}` });
  return JSON.stringify(user);
});
