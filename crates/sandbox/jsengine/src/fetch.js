// `fetch` as in Node: redirects are followed, every hop passes the host's
// filter, and whatever fails in the network is `TypeError: fetch failed`.
//
// Source: Fetch standard §4.4 (HTTP-redirect fetch).

const realFetch = globalThis.fetch;
const RealRequest = globalThis.Request;
const MOST_REDIRECTS = 20;

// The engine gives up the whole call when the host reports an error of a
// request; the host answers with this status and header in place of one, and
// takes the header away from every real answer.
const FAILED = 599;
const FAILURE = "x-openneko-failure";

let pending = 0;

/** How many requests keep the program alive. */
export function pendingRequests() {
  return pending;
}

function failed(message, code) {
  const cause = new Error(message);
  if (code) cause.code = code;
  return new TypeError("fetch failed", { cause });
}

/** What the host says about a failure, as Node's codes. */
function failureOf(reason) {
  const codes = { denied: "ENOTFOUND", dns: "ENOTFOUND", unreachable: "ECONNREFUSED", timeout: "ETIMEDOUT", tls: "ERR_TLS_CERT_ALTNAME_INVALID" };
  return failed(reason, codes[reason] ?? "UND_ERR_SOCKET");
}

function aborted(signal) {
  return signal.reason ?? new DOMException("This operation was aborted", "AbortError");
}

/** Waits for a promise, but not past an abort. */
function unlessAborted(promise, signal) {
  if (!signal) return promise;
  if (signal.aborted) return Promise.reject(aborted(signal));
  return new Promise((resolve, reject) => {
    const stop = () => reject(aborted(signal));
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Everything about a request that survives a redirect. */
async function read(input, init) {
  let url;
  let from = {};
  if (input instanceof RealRequest) {
    url = new URL(input.url);
    const hasBody = init.body === undefined && !["GET", "HEAD"].includes(input.method);
    from = { method: input.method, headers: input.headers, body: hasBody ? await input.arrayBuffer() : undefined };
  } else {
    try {
      url = new URL(String(input));
    } catch (cause) {
      throw new TypeError(`Failed to parse URL from ${String(input)}`, { cause });
    }
  }
  if (url.username || url.password) throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${url}`);
  if (!["http:", "https:"].includes(url.protocol)) throw failed("unknown scheme");
  const method = String(init.method ?? from.method ?? "GET");
  const request = {
    url,
    method: /^(get|head|post|put|delete|options)$/i.test(method) ? method.toUpperCase() : method,
    headers: new Headers(init.headers ?? from.headers),
    body: init.body ?? from.body ?? undefined,
    redirect: init.redirect ?? "follow",
  };
  if (request.body !== undefined && ["GET", "HEAD"].includes(request.method)) {
    throw new TypeError("Request with GET/HEAD method cannot have body.");
  }
  return request;
}

/** The body as bytes and its type, so that it can be sent again. */
async function settleBody(request) {
  if (request.body === undefined) return;
  const response = new Response(request.body);
  const type = response.headers.get("content-type");
  if (type && !request.headers.has("content-type")) request.headers.set("content-type", type);
  request.body = new Uint8Array(await response.arrayBuffer());
}

function defaults(request) {
  const { headers } = request;
  // Node refuses them, too; the others the host sets from the URL and the body.
  for (const name of ["connection", "expect", "keep-alive", "transfer-encoding", "upgrade"]) {
    if (headers.has(name)) throw failed(`invalid ${name} header`, "UND_ERR_INVALID_ARG");
  }
  const length = headers.get("content-length");
  if (length !== null && length !== String(request.body?.length ?? 0)) {
    throw failed("Request body length does not match content-length header", "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH");
  }
  const hidden = ["content-length", "host", "http2-settings", "proxy-authenticate", "proxy-authorization", "proxy-connection"];
  for (const name of hidden) headers.delete(name);
  if (!headers.has("accept")) headers.set("accept", "*/*");
  if (!headers.has("user-agent")) headers.set("user-agent", "node");
}

async function once(request, signal) {
  const options = { method: request.method, headers: request.headers };
  if (request.body !== undefined) options.body = request.body;
  let response;
  try {
    response = await unlessAborted(realFetch(request.url.href, options), signal);
  } catch (error) {
    if (signal?.aborted) throw aborted(signal);
    throw failed(error?.message ?? "network error");
  }
  if (response.status === FAILED && response.headers.has(FAILURE)) throw failureOf(response.headers.get(FAILURE));
  return response;
}

/** Changes a request to its next hop. */
function redirect(request, response, location) {
  let next;
  try {
    next = new URL(location, request.url);
  } catch {
    throw failed(`invalid redirect to ${location}`);
  }
  if (!["http:", "https:"].includes(next.protocol)) throw failed("URL scheme must be a HTTP(S) scheme");
  const becomesGet =
    ([301, 302].includes(response.status) && request.method === "POST") ||
    (response.status === 303 && !["GET", "HEAD"].includes(request.method));
  if (becomesGet) {
    request.method = "GET";
    request.body = undefined;
    for (const name of ["content-encoding", "content-language", "content-location", "content-type", "content-length"]) {
      request.headers.delete(name);
    }
  }
  if (next.origin !== request.url.origin) {
    for (const name of ["authorization", "proxy-authorization", "cookie", "host"]) request.headers.delete(name);
  }
  if (!next.hash) next.hash = request.url.hash;
  request.url = next;
}

function finish(response, url, redirected) {
  const define = (name, value) => Object.defineProperty(response, name, { value, configurable: true });
  const shown = new URL(url);
  shown.hash = "";
  define("url", shown.href);
  define("redirected", redirected);
  return response;
}

async function fetchAll(input, init) {
  const signal = init.signal ?? (input instanceof RealRequest ? input.signal : undefined);
  if (signal?.aborted) throw aborted(signal);
  const request = await read(input, init);
  await settleBody(request);
  defaults(request);
  for (let hops = 0; ; hops += 1) {
    const response = await once(request, signal);
    const location = response.headers.get("location");
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
    if (!isRedirect || request.redirect === "manual") return finish(response, request.url, hops > 0);
    if (request.redirect === "error") throw failed("unexpected redirect");
    if (hops === MOST_REDIRECTS) throw failed("redirect count exceeded");
    redirect(request, response, location);
  }
}

/** Gives aborts the reasons that Node gives them. */
function installAborts() {
  const abort = AbortController.prototype.abort;
  const reason = () => new DOMException("This operation was aborted", "AbortError");
  AbortController.prototype.abort = function (why = reason()) {
    return abort.call(this, why);
  };
  AbortSignal.abort = (why) => {
    const controller = new AbortController();
    controller.abort(why);
    return controller.signal;
  };
  AbortSignal.timeout = (milliseconds) => {
    const controller = new AbortController();
    const why = () => new DOMException("The operation was aborted due to timeout", "TimeoutError");
    setTimeout(() => controller.abort(why()), milliseconds).unref();
    return controller.signal;
  };
}

/** Puts Node's fetch in place of the engine's. */
export function installFetch() {
  installAborts();
  const fetch = async (input, init) => {
    pending += 1;
    try {
      return await fetchAll(input, init ?? {});
    } finally {
      pending -= 1;
    }
  };
  Object.defineProperty(globalThis, "fetch", { value: fetch, writable: true, configurable: true });
}
