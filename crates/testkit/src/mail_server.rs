//! A mail server that stores mail, and refuses it on demand.
//!
//! Source: RFC 5321 §3, §4.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use genkan::config::SmtpUrl;
use genkan::mail::{Mailer, Smtp, SmtpParts};
use genkan_protocol::EmailAddress;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Longer than a delivery, and short enough for a failing test.
const PATIENCE: Duration = Duration::from_secs(10);

/// A received mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The recipients in the SMTP dialogue, as `<ada@example.com>`.
    pub recipients: Vec<String>,
    /// Header and body, with CRLF.
    pub text: String,
}

/// A server for SMTP.
#[derive(Debug)]
pub struct MailServer {
    url: SmtpUrl,
    refusals: Arc<Mutex<VecDeque<&'static str>>>,
    mails: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
    running: AbortHandle,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (sender, receiver) = mpsc::unbounded_channel();
        let refusals = Arc::new(Mutex::new(VecDeque::new()));
        let refuses = Arc::clone(&refusals);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(talk(stream, Arc::clone(&refuses), sender.clone()));
            }
        });
        Self {
            url: SmtpUrl::parse(&url).unwrap(),
            refusals,
            mails: tokio::sync::Mutex::new(receiver),
            running: serving.abort_handle(),
        }
    }

    /// The gateway's connection to it.
    pub fn mailer(&self) -> Mailer {
        let smtp = Smtp::new(&SmtpParts {
            url: &self.url,
            password: None,
            from: &EmailAddress::parse("login@acme.test").unwrap(),
            from_name: "Acme Login",
            host: "auth.acme.test",
            ca_file: None,
        });
        Mailer::Smtp(smtp.unwrap())
    }

    /// Answers the next recipient with this text: `451 4.3.0 later`.
    pub fn refuse_next(&self, answer: &'static str) {
        let mut refusals = self.refusals.lock();
        refusals.push_back(answer);
    }

    /// The next accepted mail.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub async fn next(&self) -> Received {
        let mut mails = self.mails.lock().await;
        tokio::time::timeout(PATIENCE, mails.recv())
            .await
            .expect("a mail arrives")
            .expect("the mail server runs")
    }

    /// Whether there is a mail that the test has not read.
    pub async fn has_next(&self) -> bool {
        !self.mails.lock().await.is_empty()
    }
}

async fn talk(
    stream: TcpStream,
    refusals: Arc<Mutex<VecDeque<&'static str>>>,
    mails: mpsc::UnboundedSender<Received>,
) {
    let mut stream = BufReader::new(stream);
    let mut recipients = Vec::new();
    let mut answer = "220 acme.test".to_owned();
    loop {
        if stream
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .is_err()
        {
            return;
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let (verb, rest) = line.trim_end().split_at(line.trim_end().len().min(4));
        answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => "250-acme.test\r\n250 8BITMIME".to_owned(),
            "RCPT" => {
                let refusal = refusals.lock().pop_front();
                if refusal.is_none() {
                    recipients.push(rest.trim_start_matches(" TO:").to_owned());
                }
                refusal.unwrap_or("250 ok").to_owned()
            }
            "DATA" => {
                let _ = stream.write_all(b"354 go on\r\n").await;
                let text = data(&mut stream).await;
                let recipients = std::mem::take(&mut recipients);
                let _ = mails.send(Received { recipients, text });
                "250 taken".to_owned()
            }
            "RSET" => {
                recipients.clear();
                "250 ok".to_owned()
            }
            "QUIT" => return,
            _ => "250 ok".to_owned(),
        };
    }
}

/// Reads lines up to the single dot (RFC 5321 §4.5.2).
async fn data(stream: &mut BufReader<TcpStream>) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 || line == ".\r\n" {
            return text;
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
