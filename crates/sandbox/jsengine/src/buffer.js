// `Buffer`: the `buffer` package, with the encoding `base64url` that it lacks.

import { Buffer as Base } from "buffer/";

const isUrl = (encoding) => typeof encoding === "string" && encoding.toLowerCase() === "base64url";
const from = Base.from;
const isEncoding = Base.isEncoding;
const byteLength = Base.byteLength;
const toString = Base.prototype.toString;
const write = Base.prototype.write;
const fill = Base.prototype.fill;

// Its reader takes both alphabets already.
const plain = (encoding) => (isUrl(encoding) ? "base64" : encoding);

Base.from = (value, encoding, length) => from(value, plain(encoding), length);
Base.isEncoding = (encoding) => isUrl(encoding) || isEncoding(encoding);
Base.byteLength = (value, encoding) => byteLength(value, plain(encoding));
Base.prototype.write = function (text, ...rest) {
  return write.call(this, text, ...rest.map(plain));
};
Base.prototype.fill = function (value, ...rest) {
  return fill.call(this, value, ...rest.map(plain));
};
Base.prototype.toString = function (encoding, start, end) {
  if (!isUrl(encoding)) return toString.call(this, encoding, start, end);
  const text = toString.call(this, "base64", start, end);
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
};

export { Base as Buffer };
