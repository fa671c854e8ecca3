//! What `genkan dev` prints when it is ready: where to click first.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

pub(super) struct Summary<'a> {
    pub(super) public_url: &'a str,
    pub(super) demo_url: &'a str,
    pub(super) data_dir: &'a Path,
    pub(super) first_start: bool,
}

/// Prints the summary; nobody listening is no reason to stop.
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
        "created"
    } else {
        "as you left it"
    };
    format!(
        "\n  {title}\n\n  \
         Sign in now      {demo}   {hint}\n  \
         Genkan           {url}   {tls}\n  \
         Identity provider {simulator}\n  \
         Your application source {data_dir}/dev.env   {env}\n  \
         Data             {data_dir}   {state}\n\n  \
         Stop with Ctrl-C.\n\n",
        title = bold("Genkan is ready."),
        demo = bold(summary.demo_url),
        hint = soft("as anyone @example.com, such as ada@example.com"),
        url = summary.public_url,
        tls = soft("https on the same port"),
        simulator = format_args!("{}/simulator", summary.public_url),
        env = soft("SCALEKIT_ENVIRONMENT_URL, …_CLIENT_ID, …_CLIENT_SECRET"),
        state = soft(state),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_where_to_click_first() {
        let summary = Summary {
            public_url: "http://localhost:8080",
            demo_url: "http://localhost:8090",
            data_dir: Path::new("./genkan-data"),
            first_start: true,
        };
        let text = render(&summary, false);
        let first_link = text.find("http://").unwrap();
        assert!(text[first_link..].starts_with("http://localhost:8090"), "{text}");
        assert!(
            text.contains("./genkan-data/dev.env") && !text.contains('\x1b'),
            "{text}"
        );
    }
}
