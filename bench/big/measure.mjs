// Asks a running Genkan for lists, single things and searches, and prints how long it took.
//
//   node bench/big/measure.mjs URL CLIENT_ID CLIENT_SECRET [ROUNDS] [PID]
//
// One connection, one request at a time, over REST: what a caller waits for. Every call asks
// for another organization, user or word. Median and 99th percentile, in milliseconds.

import { readFileSync } from "node:fs";
import http from "node:http";

const [base, client, secret, rounds = "500", pid] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

const send = (method, path, headers = {}, body) =>
  new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const request = http.request(new URL(path, base), { method, headers, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("end", () => {
        const ms = Number(process.hrtime.bigint() - started) / 1e6;
        resolve({ status: response.statusCode, text, ms });
      });
    });
    request.on("error", reject);
    request.end(body);
  });

const form = new URLSearchParams({ grant_type: "client_credentials", client_id: client, client_secret: secret });
const token = JSON.parse((await send("POST", "/oauth/token", { "content-type": "application/x-www-form-urlencoded" }, form.toString())).text).access_token;
const get = async (path) => {
  const answer = await send("GET", path, { authorization: `Bearer ${token}` });
  if (answer.status === 429) {
    // The client's allowance of a minute is used up; waiting is not measured.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return get(path);
  }
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return { ...JSON.parse(answer.text), ms: answer.ms };
};

const random = (below) => Math.floor(Math.random() * below);
const total = (await get("/api/v1/organizations?page_size=1")).total_size;
const people = (await get("/api/v1/users?page_size=1")).total_size;
const names = "ada emma hugo karim mei nora olga ravi yuki zoe".split(" ");
const families = "becker garcia hopper khan lovelace müller nguyen sato turing wang".split(" ");

// Identifiers of organizations and users here and there.
const organizations = [];
const users = [];
for (let n = 0; n < 50; n += 1) {
  const organization = (await get(`/api/v1/organizations:external/crm-${random(total - 1)}`)).organization.id;
  organizations.push(organization);
  const members = (await get(`/api/v1/organizations/${organization}/users?page_size=10`)).users;
  users.push(...members.map((user) => user.id));
}
const one = (list) => list[random(list.length)];
let [organizationToken, userToken] = ["", ""];

const scenarios = {
  "get an organization": () => `/api/v1/organizations/${one(organizations)}`,
  "get an organization by external id": () => `/api/v1/organizations:external/crm-${random(total - 1)}`,
  "list organizations, 30, the first page": () => "/api/v1/organizations?page_size=30",
  "list organizations, 30, on and on": () => `/api/v1/organizations?page_size=30&page_token=${organizationToken}`,
  "search organizations, one name": () => `/api/v1/organizations:search?page_size=30&query=crm-${random(total - 1)}`,
  "search organizations, a common word": () => `/api/v1/organizations:search?page_size=30&query=${one(["robotics", "gmbh", "solar", "inc"])}`,
  "search organizations, two common words": () => `/api/v1/organizations:search?page_size=30&query=${one(["nordic robotics", "alpine bank", "golden foods"])}`,
  "get a user": () => `/api/v1/users/${one(users)}`,
  "list users, 30, the first page": () => "/api/v1/users?page_size=30",
  "list users, 30, on and on": () => `/api/v1/users?page_size=30&page_token=${userToken}`,
  "list members of an organization": () => `/api/v1/organizations/${one(organizations)}/users?page_size=30`,
  "search users, one address": () => `/api/v1/users:search?page_size=30&query=hr-${random(people)}`,
  "search users, a common word": () => `/api/v1/users:search?page_size=30&query=${one(names)}`,
  "search users, two common words": () => `/api/v1/users:search?page_size=30&query=${encodeURIComponent(`${one(names)} ${one(families)}`)}`,
  "search members of an organization": () => `/api/v1/organizations/${one(organizations)}/users:search?page_size=30&query=${one(names)}`,
};

console.log(`${total} organizations, ${people} users\n`);
console.log("| call | median ms | p99 ms | processor ms |\n|---|---:|---:|---:|");
// User and system time, in hundredths of a second.
const ticks = () => {
  if (!pid) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
};
for (const [name, path] of Object.entries(scenarios)) {
  const times = [];
  let before = 0;
  for (let n = -20; n < Number(rounds); n += 1) {
    if (n === 0) before = ticks();
    const answer = await get(path());
    if (n >= 0) times.push(answer.ms);
    if (name.startsWith("list organizations, 30, on")) organizationToken = answer.next_page_token ?? "";
    if (name.startsWith("list users, 30, on")) userToken = answer.next_page_token ?? "";
  }
  const processor = pid ? (((ticks() - before) * 10) / Number(rounds)).toFixed(2) : "";
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(2);
  console.log(`| ${name} | ${at(0.5)} | ${at(0.99)} | ${processor} |`);
}
agent.destroy();
