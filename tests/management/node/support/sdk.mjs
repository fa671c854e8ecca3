// The SDK, and the libraries under it, as tests/clients/package-lock.json pins them.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../clients/package.json', import.meta.url));

export const sdk = require('@scalekit-sdk/node');
export const { version } = require('@scalekit-sdk/node/package.json');
/** Where the SDK's type declarations lie. */
export const declarations = require.resolve('@scalekit-sdk/node').replace(/index\.js$/, '');

/** The generated messages of a package: `messages('users/users')`. */
export function messages(name) {
  return require(`@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/${name}_pb`);
}

export const protobuf = require('@bufbuild/protobuf');
export const wellKnown = require('@bufbuild/protobuf/wkt');
export const connect = require('@connectrpc/connect');
export const connectNode = require('@connectrpc/connect-node');
export const jose = require('jose');
