// A browser without a screen: keeps cookies, follows redirects, fills in forms.
//
// It sends what a browser sends on a top-level navigation (Origin on a form post,
// Sec-Fetch-*), so that checks on those headers are exercised and not bypassed.
import http from 'node:http';
import https from 'node:https';

const MAX_REDIRECTS = 20;

/** What the user agent shows: a document, or the address it was told to stop at. */
export class Page {
  constructor(url, response = {}) {
    this.url = url;
    /** `undefined` when the navigation stopped before this address was asked for. */
    this.status = response.status;
    this.headers = response.headers ?? {};
    this.body = response.body ?? '';
  }

  get stopped() {
    return this.status === undefined;
  }

  get heading() {
    return text(/<h1\b[^>]*>([\s\S]*?)<\/h1>/i.exec(this.body)?.[1] ?? '');
  }

  get text() {
    return text(this.body.replace(/<(style|script|head)\b[\s\S]*?<\/\1>/gi, ' '));
  }

  /** The forms, in document order. */
  get forms() {
    return [...this.body.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, tag, inside]) => {
      const { action = '', method = 'get', id } = attributes(tag);
      const controls = [...inside.matchAll(/<(input|button)\b([^>]*)>/gi)].map(([, element, rest]) => ({
        element: element.toLowerCase(),
        type: element.toLowerCase() === 'button' ? 'submit' : 'text',
        ...attributes(rest),
      }));
      for (const [, rest, value] of inside.matchAll(/<textarea\b([^>]*)>([\s\S]*?)<\/textarea>/gi)) {
        controls.push({ element: 'textarea', ...attributes(rest), value: unescape(value) });
      }
      for (const [, rest, options] of inside.matchAll(/<select\b([^>]*)>([\s\S]*?)<\/select>/gi)) {
        const all = [...options.matchAll(/<option\b([^>]*)>/gi)].map(([, option]) => attributes(option));
        const chosen = all.find((option) => 'selected' in option) ?? all[0];
        controls.push({ element: 'select', ...attributes(rest), value: chosen?.value ?? '' });
      }
      return { id, method: method.toLowerCase(), action: new URL(action, this.url).href, controls };
    });
  }

  /** The first form that has a control of one of these names. */
  formWith(...names) {
    return this.forms.find((form) => form.controls.some((control) => names.includes(control.name)));
  }

  describe() {
    return `${this.status ?? 'stopped'} ${this.url}\n${this.heading}\n${this.text.slice(0, 600)}`;
  }
}

export class UserAgent {
  #jar = new Map();

  /** @param {{ca?: string}} options `ca`: a certificate authority to trust, in PEM. */
  constructor({ ca } = {}) {
    this.ca = ca;
    /** Every address asked for, in order. */
    this.visited = [];
  }

  /**
   * Navigates and follows redirects. `until` (a prefix, or a predicate of the
   * address) stops the browser before it asks for such an address.
   */
  async open(url, { until } = {}) {
    return this.#navigate({ method: 'GET', url: new URL(url).href }, stopper(until));
  }

  /**
   * Submits a form of `page`, with `fields` over what the form already holds. `button`: the value or the name
   * of the one that is pressed.
   */
  async submit(page, form, fields = {}, { until, button } = {}) {
    const values = new URLSearchParams();
    const buttons = form.controls.filter((control) => control.type === 'submit');
    const pressed = button ? buttons.find(({ name, value }) => [value, name].includes(button)) : buttons[0];
    for (const control of form.controls) {
      const { name, type } = control;
      if (!name || 'disabled' in control || name in fields) continue;
      if (type === 'submit' ? control !== pressed : type === 'button' || type === 'image') continue;
      if ((type === 'checkbox' || type === 'radio') && !('checked' in control)) continue;
      values.append(name, control.value ?? (type === 'checkbox' ? 'on' : ''));
    }
    for (const [name, value] of Object.entries(fields)) values.append(name, value);

    const stop = stopper(until);
    const from = new URL(page.url);
    if (form.method === 'get') {
      const url = new URL(form.action);
      url.search = values.toString();
      return this.#navigate({ method: 'GET', url: url.href, from }, stop);
    }
    return this.#navigate({ method: 'POST', url: form.action, body: values.toString(), from }, stop);
  }

  /** The cookies that a request to `url` would carry, by name. */
  cookies(url) {
    const { hostname, pathname, protocol } = new URL(url);
    const now = Date.now();
    const found = {};
    for (const cookie of this.#jar.get(hostname)?.values() ?? []) {
      const local = hostname === 'localhost' || hostname === '127.0.0.1';
      if (cookie.expires <= now || (cookie.secure && protocol !== 'https:' && !local)) continue;
      if (pathname !== cookie.path && !pathname.startsWith(cookie.path.replace(/\/?$/, '/'))) continue;
      found[cookie.name] = cookie.value;
    }
    return found;
  }

  async #navigate(request, stop) {
    let { method, url, body, from } = request;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      if (stop(url)) return new Page(url);
      this.visited.push(url);
      const response = await this.#request({ method, url, body, from });
      const { location } = response.headers;
      if (response.status < 300 || response.status > 399 || !location) return new Page(url, response);
      // Fetch standard, HTTP-redirect fetch: 303, and a POST answered by 301 or 302, become GET.
      if (response.status === 303 || (method === 'POST' && response.status <= 302)) {
        method = 'GET';
        body = undefined;
      }
      from ??= new URL(url);
      url = new URL(location, url).href;
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects, the last to ${url}`);
  }

  #request({ method, url, body, from }) {
    const target = new URL(url);
    const site = !from ? 'none' : from.origin === target.origin ? 'same-origin' : 'cross-site';
    const headers = {
      accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
      'accept-language': 'en',
      'sec-fetch-dest': 'document',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-site': site,
      'user-agent': 'Mozilla/5.0 (headless test)',
    };
    const cookies = Object.entries(this.cookies(url)).map(([name, value]) => `${name}=${value}`);
    if (cookies.length) headers.cookie = cookies.join('; ');
    if (body !== undefined) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
      headers['content-length'] = Buffer.byteLength(body);
      headers.origin = from.origin;
    }
    const transport = target.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      const request = transport.request(target, { method, headers, ca: this.ca, agent: false, timeout: 20_000 });
      request.on('timeout', () => request.destroy(new Error(`no answer from ${url} in 20 s`)));
      request.on('error', reject);
      request.on('response', async (message) => {
        try {
          const chunks = [];
          for await (const chunk of message) chunks.push(chunk);
          this.#keep(target, message.headers['set-cookie'] ?? []);
          const { statusCode: status, headers } = message;
          resolve({ status, headers, body: Buffer.concat(chunks).toString('utf8') });
        } catch (error) {
          reject(error);
        }
      });
      request.end(body);
    });
  }

  // RFC 6265 §5.3, for host-only cookies: ports share a jar, as in a browser.
  #keep(url, lines) {
    const jar = this.#jar.get(url.hostname) ?? new Map();
    this.#jar.set(url.hostname, jar);
    for (const line of lines) {
      const [pair, ...rest] = line.split(';');
      const at = pair.indexOf('=');
      const cookie = { name: pair.slice(0, at).trim(), value: pair.slice(at + 1).trim(), expires: Infinity };
      cookie.path = url.pathname.replace(/\/[^/]*$/, '') || '/';
      for (const attribute of rest) {
        const [name, value = ''] = attribute.trim().split('=');
        if (/^path$/i.test(name) && value.startsWith('/')) cookie.path = value;
        if (/^secure$/i.test(name)) cookie.secure = true;
        if (/^expires$/i.test(name) && !cookie.maxAge) cookie.expires = Date.parse(value);
        if (/^max-age$/i.test(name)) {
          cookie.maxAge = true;
          cookie.expires = Date.now() + Number(value) * 1000;
        }
      }
      jar.set(`${cookie.name};${cookie.path}`, cookie);
    }
  }
}

function stopper(until) {
  if (!until) return () => false;
  if (typeof until === 'function') return until;
  // An origin must not match another port, nor a path its longer sibling.
  return (url) => url === until || [...'/?#'].some((end) => url.startsWith(until + end));
}

function attributes(tag) {
  const found = {};
  for (const [, name, , double, single, bare] of tag.matchAll(/([^\s"'<>/=]+)(\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    found[name.toLowerCase()] = unescape(double ?? single ?? bare ?? '');
  }
  return found;
}

function text(html) {
  return unescape(html.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
}

function unescape(html) {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };
  return html.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) =>
    hex ? String.fromCodePoint(parseInt(hex, 16)) : decimal ? String.fromCodePoint(Number(decimal)) : (named[name] ?? whole),
  );
}
