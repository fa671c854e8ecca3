// Writes issues.json: what zod says about parameters and results that are wrong.
//
//   npm install --no-save zod@4.3.6 && node write.mjs > issues.json
import { z } from 'zod';

const text = (minimum) => z.string().min(minimum);
const optional = z.string().nullable().optional();
const nullable = z.string().nullable();
const schemas = {
  BeginAuth: z.object({ params: z.object({ redirectUri: text(1), state: text(1), loginHint: optional }) }),
  BeginAuthResult: z.object({ result: z.object({ authorizationUrl: text(1) }) }),
  CompleteAuth: z.object({ params: z.object({ code: text(1), redirectUri: text(1), state: text(1) }) }),
  CompleteAuthResult: z.object({
    result: z.object({
      identity: z.object({ sub: text(1), email: text(3), name: optional, orgId: optional, groups: z.array(z.string()).default([]) }),
    }),
  }),
  ExecuteAction: z.object({
    request: z.object({
      id: z.string(), orgId: z.string(), actorId: optional, scope: z.string(), kind: z.string(), target: nullable,
      summary: nullable, payload: z.record(z.string(), z.unknown()).nullable(), riskLevel: nullable,
    }),
  }),
};

const begin = { redirectUri: 'https://a/cb', state: 's' };
const identity = { sub: 's', email: 'a@b' };
const request = { id: '', orgId: '', scope: '', kind: 'x', target: null, summary: null, payload: null, riskLevel: null };
const values = {
  BeginAuth: [
    {}, null, [], 5, 'x', true, { params: null }, { params: [] }, { params: {} }, { params: 'x' },
    { params: begin }, { params: { ...begin, loginHint: null } }, { params: { ...begin, loginHint: '' } }, { params: { ...begin, more: 1 } },
    { params: { ...begin, state: '' } }, { params: { redirectUri: '', state: '' } }, { params: { redirectUri: 1.5, state: null, loginHint: 7 } },
    { params: { ...begin, loginHint: [] } }, { params: { ...begin, state: [] } }, { params: { ...begin, state: ['s'] } }, { params: { ...begin, state: { toString: 'x' } } },
  ],
  BeginAuthResult: [{ result: { authorizationUrl: 'x' } }, { result: { authorizationUrl: '' } }],
  CompleteAuth: [{}, { params: {} }, { params: { ...begin, code: '' } }, { params: { ...begin, code: 'c' } }, { params: { ...begin, code: false } }],
  CompleteAuthResult: [
    ...[
      {}, null, identity, { ...identity, email: 'ab' }, { ...identity, email: '' }, { ...identity, email: '\u{1F600}b' }, { ...identity, sub: '' }, { ...identity, sub: 7 },
      { ...identity, email: ['a@b'], name: [], orgId: 3, groups: [1, 'g', null] }, { ...identity, groups: 'x' }, { ...identity, groups: {} },
      { ...identity, groups: null }, { ...identity, name: null, orgId: null, groups: [] }, { ...identity, name: false },
    ].map((value) => ({ result: { identity: value } })),
    { result: {} },
  ],
  ExecuteAction: [
    {}, { request: {} }, { request }, { request: { ...request, payload: {} } }, { request: { ...request, payload: [] } },
    { request: { ...request, target: 3, payload: 'x', actorId: null } }, { request: { ...request, actorId: 3, riskLevel: undefined } },
  ],
};

const cases = Object.entries(values).flatMap(([schema, list]) =>
  list.map((value) => ({ schema, value, issues: schemas[schema].safeParse(value).error?.message ?? null })),
);
console.log(JSON.stringify(cases, null, 1));
