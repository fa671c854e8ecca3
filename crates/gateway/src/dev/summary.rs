//! The summary that `genkan dev` prints when it is ready.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::dev_env;
use crate::simulator;

pub(super) struct Summary<'a> {
    pub(super) public_url: &'a str,
    pub(super) demo_url: &'a str,
    pub(super) data_dir: &'a Path,
    pub(super) first_start: bool,
    /// Other machines may reach it.
    pub(super) is_exposed: bool,
}

/// Prints the summary; a closed terminal does not stop the server.
pub(super) fn print(summary: &Summary<'_>) {
    let out = io::stdout();
    let colour = out.is_terminal();
    let _ = out.lock().write_all(render(summary, colour).as_bytes());
}

fn render(summary: &Summary<'_>, colour: bool) -> String {
    let bold = |text: &str| {
        if colour {
            format!("\x1b[1m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let soft = |text: &str| {
        if colour {
            format!("\x1b[2m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let data_dir = summary.data_dir.display();
    let state = if summary.first_start {
        "made just now"
    } else {
        "as you left it"
    };
    let simulator = simulator::issuer(summary.public_url);
    let about_https = if summary.public_url.starts_with("https://") {
        &*format!(
            "its certificate is this machine's own: `{}` says how to trust it",
            trust(summary.data_dir)
        )
    } else {
        "for clients that want https: `genkan dev --https`"
    };
    let lines = [
        (
            "Sign in",
            bold(summary.demo_url),
            "a demo application; be anybody @example.com",
        ),
        ("Genkan", summary.public_url.to_owned(), about_https),
        (
            "Simulator",
            simulator,
            "the identity provider of the Test Organization",
        ),
        (
            "Mail",
            format!("{}{}", summary.public_url, super::mail::PATH),
            "what Genkan would send, unless a mail server is named",
        ),
        (
            "Your app",
            format!("{data_dir}/{}", dev_env::FILE),
            "what it needs, as variables",
        ),
        ("Data", data_dir.to_string(), state),
    ];
    let mut text = format!("\n  {}\n\n", bold("Genkan is ready."));
    for (name, value, note) in lines {
        text.push_str(&format!("  {name:<11}{value}\n  {:<11}{}\n", "", soft(note)));
    }
    if summary.is_exposed {
        let warning = "Other machines can reach this: whoever does can sign in as anybody.";
        text.push_str(&format!("\n  {}\n", bold(warning)));
    }
    text.push_str("\n  Stop with Ctrl-C.\n\n");
    text
}

/// The command for this folder.
fn trust(data_dir: &Path) -> String {
    if data_dir == Path::new("genkan-data") {
        "genkan dev trust".to_owned()
    } else {
        format!("genkan dev trust --data-dir {}", data_dir.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(is_exposed: bool) -> String {
        let summary = Summary {
            public_url: "http://localhost:8080",
            demo_url: "http://localhost:8090",
            data_dir: Path::new("./genkan-data"),
            first_start: true,
            is_exposed,
        };
        render(&summary, false)
    }

    #[test]
    fn the_summary_says_where_to_click_first() {
        let text = summary(false);
        let first_link = text.find("http://").unwrap();
        assert!(text[first_link..].starts_with("http://localhost:8090"), "{text}");
        assert!(
            text.contains("./genkan-data/dev.env") && !text.contains('\x1b'),
            "{text}"
        );
    }

    #[test]
    fn whoever_lets_other_machines_in_is_warned() {
        assert!(summary(true).contains("can sign in as anybody"));
        assert!(!summary(false).contains("can sign in as anybody"));
    }
}
