//! Rules for values, and for several keys together. Each rule is one function.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;
use super::setting::{ByteSize, TlsMode};
use super::smtp::SmtpUrl;
use super::url::PublicUrl;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn check(reader: &mut Reader) {
    instance_key_comes_from_one_place(reader);
    tls_files_fit_the_mode(reader);
    https_ends_somewhere(reader);
    mail_has_a_server_and_a_sender(reader);
    numbers_are_in_range(reader);
    a_slow_body_is_told_so(reader);
    lifetimes_nest(reader);
    what_is_kept_shorter_is_so(reader);
}

fn instance_key_comes_from_one_place(reader: &mut Reader) {
    if reader.is_written("instance_key") && reader.is_written("instance_key_file") {
        reader.mistake(
            "instance_key",
            "and instance_key_file are both written",
            "Keep one of the two, so that nobody wonders which key counts.",
        );
    }
    if !reader.is_written("instance_key") && !reader.is_written("instance_key_file") && !reader.is_broken() {
        reader.mistake(
            "instance_key_file",
            "is missing",
            "Run `genkan keys generate-instance-key --output instance.key` and write \
             instance_key_file = \"instance.key\", or set GENKAN_INSTANCE_KEY.",
        );
    }
}

fn tls_files_fit_the_mode(reader: &mut Reader) {
    let Some(mode) = reader.peek::<TlsMode>("tls.mode") else {
        return;
    };
    for key in ["tls.certificate_file", "tls.key_file"] {
        match mode {
            TlsMode::Files if !reader.is_written(key) => {
                reader.mistake(
                    key,
                    "is missing",
                    "tls.mode = \"files\" needs a certificate and its key, PEM.",
                );
            }
            TlsMode::Proxy if reader.is_written(key) => {
                reader.mistake(
                    key,
                    "has no effect",
                    "Write mode = \"files\" in [tls] to end TLS here, or remove it.",
                );
            }
            TlsMode::Files | TlsMode::Proxy => {}
        }
    }
}

fn https_ends_somewhere(reader: &mut Reader) {
    let url = reader.peek::<PublicUrl>("public_url");
    let mode = reader.peek::<TlsMode>("tls.mode");
    if let (Some(url), Some(TlsMode::Files)) = (url, mode)
        && !url.is_https()
    {
        reader.mistake(
            "public_url",
            "says http, but tls.mode = \"files\" serves https",
            format!("Write \"https{}\".", url.as_str().trim_start_matches("http")),
        );
    }
}

fn mail_has_a_server_and_a_sender(reader: &mut Reader) {
    if !reader.is_written("mail.smtp_url") {
        for key in ["mail.smtp_password_file", "mail.from"] {
            if reader.is_written(key) {
                reader.mistake(
                    key,
                    "has no effect",
                    "Name a mail server in mail.smtp_url, or remove it.",
                );
            }
        }
        return;
    }
    if !reader.is_written("mail.from") {
        reader.mistake(
            "mail.from",
            "is missing",
            "Write the address that mail comes from, such as \"login@example.com\".",
        );
    }
    let Some(url) = reader.peek::<SmtpUrl>("mail.smtp_url") else {
        return;
    };
    let has_file = reader.is_written("mail.smtp_password_file");
    match (url.user(), url.password(), has_file) {
        (Some(_), Some(_), true) => reader.mistake(
            "mail.smtp_password_file",
            "and mail.smtp_url both hold a password",
            "Keep one of the two.",
        ),
        (None, _, true) => reader.mistake(
            "mail.smtp_password_file",
            "has no user",
            "Write the user into mail.smtp_url: smtps://user@host.",
        ),
        (Some(_), None, false) => reader.mistake(
            "mail.smtp_url",
            "names a user without a password",
            "Write smtps://user:password@host, or name a file in mail.smtp_password_file.",
        ),
        _ => {}
    }
}

fn numbers_are_in_range(reader: &mut Reader) {
    number(reader, "database.pool_size", 1..=1000);
    number(reader, "limits.connections", 16..=1_000_000);
    number(reader, "limits.connections_per_client", 0..=1_000_000);
    for key in [
        "limits.greeting_timeout",
        "limits.head_timeout",
        "limits.body_timeout",
        "limits.answer_timeout",
    ] {
        duration(
            reader,
            key,
            Duration::from_millis(100)..=Duration::from_secs(600),
            "100ms to 10m",
        );
    }
    for key in ["limits.drain_delay", "limits.shutdown_timeout"] {
        duration(
            reader,
            key,
            Duration::ZERO..=Duration::from_secs(600),
            "0s to 10m",
        );
    }
    if let Some(ByteSize(size)) = reader.peek("limits.body_size")
        && !(4 << 10..=64 << 20).contains(&size)
    {
        reader.mistake("limits.body_size", "is out of range", "Write 4KiB to 64MiB.");
    }
    if let Some(ByteSize(size)) = reader.peek("limits.bodies_in_flight")
        && size != 0
        && !(64 << 20..=65_536 << 20).contains(&size)
    {
        let remedy = "Write 64MiB to 65536MiB, or 0B for no limit.";
        reader.mistake("limits.bodies_in_flight", "is out of range", remedy);
    }
    duration(
        reader,
        "session.absolute_timeout",
        MINUTE..=365 * DAY,
        "1m to 365d",
    );
    duration(reader, "session.idle_timeout", MINUTE..=7 * DAY, "1m to 7d");
    for key in [
        "tokens.access_token_lifetime",
        "tokens.client_access_token_lifetime",
    ] {
        duration(reader, key, Duration::from_secs(1)..=30 * DAY, "1s to 30d");
    }
    times_of_retention_are_in_range(reader);
}

/// The range of each time in `[retention]`.
fn times_of_retention_are_in_range(reader: &mut Reader) {
    let longest = 3650 * DAY;
    // `genkan app doctor` reads the refusals of a week.
    for key in ["retention.events", "retention.activity_events"] {
        duration(reader, key, 7 * DAY..=longest, "7d to 3650d");
    }
    for key in [
        "retention.token_events",
        "retention.sign_in_log",
        "retention.failed_sign_ins",
    ] {
        duration(reader, key, DAY..=longest, "1d to 3650d");
    }
    duration(reader, "retention.ended_sessions", HOUR..=longest, "1h to 3650d");
    // If it is shorter, a stolen code that comes late is refused, but the tokens of its first use stay
    // valid.
    duration(reader, "retention.codes", HOUR..=30 * DAY, "1h to 30d");
}

/// All events are deleted after `retention.events`, so a longer time for some of them would have no effect.
fn what_is_kept_shorter_is_so(reader: &mut Reader) {
    let all = reader.peek::<Duration>("retention.events");
    for key in ["retention.activity_events", "retention.token_events"] {
        // Their defaults are shortened automatically.
        if let (Some(all), Some(some)) = (all, reader.peek::<Duration>(key))
            && reader.is_written(key)
            && some > all
        {
            reader.mistake(
                key,
                "is longer than retention.events",
                "Shorten it, or lengthen events: no event is kept longer than that.",
            );
        }
    }
}

fn number(reader: &mut Reader, key: &'static str, range: RangeInclusive<u32>) {
    if reader
        .peek::<u32>(key)
        .is_some_and(|value| !range.contains(&value))
    {
        let remedy = format!("Write a number from {} to {}.", range.start(), range.end());
        reader.mistake(key, "is out of range", remedy);
    }
}

fn duration(reader: &mut Reader, key: &'static str, range: RangeInclusive<Duration>, words: &str) {
    if reader
        .peek::<Duration>(key)
        .is_some_and(|value| !range.contains(&value))
    {
        reader.mistake(key, "is out of range", format!("Write {words}."));
    }
}

/// If a client's body arrives too slowly, the client gets an answer. The answer needs time, too.
fn a_slow_body_is_told_so(reader: &mut Reader) {
    let body = reader.peek::<Duration>("limits.body_timeout");
    let answer = reader.peek::<Duration>("limits.answer_timeout");
    if let (Some(body), Some(answer)) = (body, answer)
        && answer <= body
    {
        reader.mistake(
            "limits.answer_timeout",
            "is not longer than limits.body_timeout",
            "Lengthen answer_timeout, or shorten body_timeout.",
        );
    }
}

/// Session, idle time and access token. Each must contain the next one. Otherwise the longer one would have
/// no effect.
fn lifetimes_nest(reader: &mut Reader) {
    let absolute = reader.peek::<Duration>("session.absolute_timeout");
    let idle = reader.peek::<Duration>("session.idle_timeout");
    let token = reader.peek::<Duration>("tokens.access_token_lifetime");
    if let (Some(absolute), Some(idle)) = (absolute, idle)
        && idle > absolute
    {
        reader.mistake(
            "session.idle_timeout",
            "is longer than session.absolute_timeout",
            "Shorten idle_timeout, or lengthen absolute_timeout.",
        );
    }
    if let (Some(idle), Some(token)) = (idle, token)
        && token >= idle
    {
        reader.mistake(
            "tokens.access_token_lifetime",
            "is not shorter than session.idle_timeout",
            "Shorten access_token_lifetime: a few minutes are usual.",
        );
    }
}
