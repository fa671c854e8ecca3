// A mail server for tests: takes every mail and appends it to a file, one JSON
// object a line, `{from, to, subject, text}`.
//
// Sources: RFC 5321 (SMTP), RFC 2045 (MIME), RFC 2047 (encoded words).
import { appendFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';

export class Mailbox {
  #server;
  #sockets = new Set();

  /** Listens on a free port of this machine and writes to `file`. */
  static async start(file) {
    const mailbox = new Mailbox();
    mailbox.file = file;
    writeFileSync(file, '');
    mailbox.#server = net.createServer((socket) => mailbox.#serve(socket)).listen(0, '127.0.0.1');
    await once(mailbox.#server, 'listening');
    mailbox.url = `smtp://localhost:${mailbox.#server.address().port}`;
    return mailbox;
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket) {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => socket.destroy());
    const say = (line) => socket.write(`${line}\r\n`);
    let envelope = {};
    let text;
    let unread = '';
    const take = (line) => {
      if (text !== undefined) {
        if (line !== '.') text.push(line.replace(/^\./, ''));
        else {
          appendFileSync(this.file, `${JSON.stringify({ ...envelope, ...read(text.join('\r\n')) })}\n`);
          [envelope, text] = [{}, undefined];
          say('250 taken');
        }
        return;
      }
      const address = /<([^>]*)>/.exec(line)?.[1];
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'MAIL') envelope.from = address;
      if (verb === 'RCPT') envelope.to = address;
      if (verb === 'DATA') text = [];
      say({ DATA: '354 go on', QUIT: '221 bye' }[verb] ?? '250 localhost');
      if (verb === 'QUIT') socket.end();
    };
    say('220 localhost');
    socket.setEncoding('utf8').on('data', (chunk) => {
      const lines = (unread + chunk).split('\r\n');
      unread = lines.pop();
      lines.forEach(take);
    });
  }
}

/** The subject, and the part that is plain text. */
function read(source) {
  const [headers, body] = split(source);
  const boundary = /boundary="?([^";\s]+)"?/i.exec(headers['content-type'] ?? '')?.[1];
  const parts = boundary ? body.split(`--${boundary}`).map((part) => split(part.replace(/^\r\n/, ''))) : [[headers, body]];
  const plain = parts.find(([{ 'content-type': type }]) => /^text\/plain/i.test(type ?? '')) ?? parts[0];
  return { subject: words(headers.subject ?? ''), text: decode(plain[1], plain[0]['content-transfer-encoding']) };
}

function split(source) {
  const at = source.indexOf('\r\n\r\n');
  const lines = source.slice(0, at).replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
  return [Object.fromEntries(headers), source.slice(at + 4)];
}

function decode(text, encoding = '') {
  if (/base64/i.test(encoding)) return Buffer.from(text, 'base64').toString();
  if (/quoted-printable/i.test(encoding)) return quoted(text.replaceAll(/=\r?\n/g, ''));
  return text;
}

function quoted(text) {
  return Buffer.from(text.replaceAll(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString();
}

function words(subject) {
  const joined = subject.replaceAll(/\?=\s+=\?/g, '?==?');
  return joined.replaceAll(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, kind, text) =>
    kind.toLowerCase() === 'b' ? Buffer.from(text, 'base64').toString() : quoted(text.replaceAll('_', ' ')));
}
