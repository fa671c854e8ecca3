//! `genkan dev`, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::genkan;

/// A development instance. Killed when the test ends.
struct Dev {
    process: Child,
    listen: SocketAddr,
    demo: SocketAddr,
    _folder: TempDir,
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Dev {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = genkan()
            .args(["dev", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // What it prints says that it is there, and where.
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut printed = stdout.lines().map(Result::unwrap).filter_map(|line| {
            let (_, port) = line.split_once("http://localhost:")?;
            port.trim().parse::<u16>().ok()
        });
        let (demo, listen) = (printed.next().unwrap(), printed.next().unwrap());
        Self {
            process,
            listen: (Ipv4Addr::LOCALHOST, listen).into(),
            demo: (Ipv4Addr::LOCALHOST, demo).into(),
            _folder: folder,
        }
    }

    /// The status line and the body, asked for under a name of the caller's choice.
    async fn get(&self, address: SocketAddr, path: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A page of the web that points its name at this machine reads nothing here.
#[tokio::test]
async fn nothing_is_shown_under_a_foreign_name() {
    let dev = Dev::start();
    let (own, demo) = (dev.listen, dev.demo);
    for (address, path) in [
        (own, "/dev/mail"),
        (own, "/simulator"),
        (own, "/simulator/.well-known/openid-configuration"),
        (own, "/.well-known/openid-configuration"),
        (own, "/oauth/authorize"),
        (own, "/keys"),
        (own, "/nothing-here"),
        (own, "/api/v1/organizations"),
        (demo, "/"),
        (demo, "/login"),
        (demo, "/nothing-here"),
    ] {
        let port = address.port();
        for foreign in [
            format!("rebind.evil.test:{port}"),
            format!("localhost.evil.test:{port}"),
            format!("10.0.0.7:{port}"),
        ] {
            let answer = dev.get(address, path, &foreign).await;
            assert!(
                answer.starts_with("HTTP/1.1 421 "),
                "{path} as {foreign}: {answer}"
            );
        }
        for name in ["localhost", "127.0.0.1", "[::1]", "dev.localhost"] {
            let answer = dev.get(address, path, &format!("{name}:{port}")).await;
            assert!(!answer.starts_with("HTTP/1.1 421 "), "{path} as {name}: {answer}");
        }
    }
}
