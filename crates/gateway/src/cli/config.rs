//! `genkan config check|show`

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Context, Failure};
use crate::config::{Config, Mistake, Mistakes};

const EXAMPLES: &str = "\
Examples:
  genkan config check --config /etc/genkan/genkan.toml
  genkan config show";

/// Check or show the configuration
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Find the mistakes, each with its line and how to correct it
    Check,
    /// Print the effective values and their origins, without secrets
    Show,
}

pub(super) fn run(args: &ConfigArgs, context: &mut Context) -> Result<(), Failure> {
    match &args.verb {
        Verb::Check => check(context),
        Verb::Show => show(context),
    }
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    mistakes: Vec<MistakeView>,
}

#[derive(Serialize)]
struct MistakeView {
    place: String,
    key: Option<String>,
    problem: String,
    remedy: String,
}

impl From<&Mistake> for MistakeView {
    fn from(mistake: &Mistake) -> Self {
        Self {
            place: mistake.place.to_string(),
            key: mistake.key.clone(),
            problem: mistake.problem.clone(),
            remedy: mistake.remedy.clone(),
        }
    }
}

fn check(context: &mut Context) -> Result<(), Failure> {
    let file = context.target.config_file()?;
    let checked = Config::load(file.as_deref(), &context.environment).and_then(|config| config.check_files());
    let mistakes = checked.err().unwrap_or(Mistakes(Vec::new()));
    let report = Report {
        ok: mistakes.0.is_empty(),
        mistakes: mistakes.0.iter().map(MistakeView::from).collect(),
    };
    let name = file.map_or_else(|| "The environment".to_owned(), |path| path.display().to_string());
    context.console.print(&report, || {
        if report.ok {
            format!("{name} is in order.\n")
        } else {
            String::new()
        }
    })?;
    if report.ok { Ok(()) } else { Err(mistakes.into()) }
}

fn show(context: &mut Context) -> Result<(), Failure> {
    let config = context.target.load(&context.environment)?;
    context.console.print(&config.to_json(), || config.show())
}
