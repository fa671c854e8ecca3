//! Makes `docs/reference/configuration.md` from the keys.

use std::fmt::Write as _;

use super::keys::SECTIONS;
use super::{Fallback, Form, Key};

const INTRODUCTION: &str = r#"# Configuration

<!-- Generated from crates/gateway/src/config/keys.rs by `just docs`; edit the comments there. -->

`genkan serve` reads `genkan.toml` from the current folder, or the file named with `--config`. Every key
can also be given as an environment variable: its name in capitals, sections joined with `_`, after
`GENKAN_`: `database.url` is `GENKAN_DATABASE_URL`. A variable wins over the file. With variables alone no
file is needed. In a variable the items of a list are separated by commas; an empty variable counts as
not set, and white space around a value is no part of it.

A name that is no key is a mistake, never ignored. `genkan config check` lists every mistake with its line
and its remedy, and looks at the files that the configuration names; `genkan config show` prints what is
in force and where each value comes from, without secrets.

Durations are a whole number and a unit (`ms`, `s`, `m`, `h`, `d`); sizes are a whole number and `B`,
`KiB` or `MiB`. Relative paths start at the folder of the configuration file.

The least that works, behind a reverse proxy on the same machine:

```toml
public_url = "https://auth.example.com"
data_dir = "/var/lib/genkan"
instance_key_file = "/etc/genkan/instance.key"

[proxy]
trusted_networks = ["127.0.0.1", "::1"]
```

Several nodes on PostgreSQL, each ending TLS itself:

```toml
public_url = "https://auth.example.com"
listen = "[::]:443"
instance_key_file = "/etc/genkan/instance.key"

[database]
url = "postgres://genkan:a-password@db.internal/genkan"

[tls]
mode = "files"
certificate_file = "/etc/genkan/tls/fullchain.pem"
key_file = "/etc/genkan/tls/privkey.pem"
```
"#;

/// The reference as Markdown.
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (section, documentation, keys) in SECTIONS {
        match *section {
            "" => text.push_str("\n## Top level\n"),
            section => {
                let _ = writeln!(text, "\n## `[{section}]`");
            }
        }
        if !documentation.is_empty() {
            let _ = writeln!(text, "\n{}", paragraph(documentation));
        }
        for key in *keys {
            let _ = writeln!(text, "\n{}", entry(key));
        }
    }
    text
}

fn entry(key: &Key) -> String {
    let form = match key.form {
        Form::Text => "text",
        Form::Number => "number",
        Form::Boolean => "true or false",
        Form::List => "list of texts",
    };
    let fallback = match key.fallback {
        Fallback::Required => format!("required, for example `{}`", key.example),
        Fallback::Absent => format!("default {}", key.example),
        Fallback::Text(text) => match key.form {
            Form::Text => format!("default `\"{text}\"`"),
            Form::Number | Form::Boolean => format!("default `{text}`"),
            Form::List => "default `[]`".to_owned(),
        },
    };
    format!(
        "### `{}`\n\n*{form}* · {fallback} · `{}`\n\n{}",
        key.name,
        key.variable(),
        paragraph(key.documentation)
    )
}

/// The lines of the documentation. Each begins with the space after `///`.
fn paragraph(lines: &[&str]) -> String {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n")
}
