//! `genkan import organizations|users`

mod apply;
mod batch;
mod bound;
mod customer;
mod dialect;
#[cfg(test)]
mod oracle;
mod organization;
mod progress;
mod rejects;
mod rows;
mod user;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use csv::StringRecord;
use serde::Serialize;

use self::apply::{Author, Batch, CHUNK, Import, Row, Tally};
use self::batch::{CustomerBatch, OrganizationBatch, UserBatch};
use self::progress::Progress;
use self::rejects::Rejects;
use self::rows::Rows;
use super::{Context, Failure, which};

const EXAMPLES: &str = "\
Examples:
  genkan import organizations customers.csv
  genkan import users people.jsonl --dry-run
  genkan import users people.csv --continue-on-error
  genkan import users acme.csv --organization acme-17

Columns of organizations: external_id, name, slug, logo_url, region, domains,
metadata.ANYTHING. Columns of users: email, email_verified, name, given_name,
family_name, picture, locale, external_id, organization, roles,
metadata.ANYTHING. Several domains or roles in one cell are separated by ;.
Cells are separated by commas, semicolons or tabs, as in the heading. The file
is UTF-8.

Organizations are recognized by their external id and users by their e-mail
address. So a second import of the same file changes nothing. A value in a line
replaces the stored value. If a line has no value, the stored value stays.

Use --organization for a file that a customer gave you. It can only change the
users of that organization.";

/// Import organizations or users from a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    what: ImportKind,
}

#[derive(Debug, Subcommand)]
enum ImportKind {
    /// Organizations with their domains
    Organizations(FileArgs),
    /// Users with their memberships and roles
    Users(UsersArgs),
}

#[derive(Debug, Args)]
struct UsersArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The file comes from this organization, and cannot change users of another one
    #[arg(long)]
    organization: Option<String>,
}

#[derive(Debug, Args)]
struct FileArgs {
    /// A CSV file with a heading, or a file with one JSON object in each line; - reads standard input
    file: PathBuf,
    /// The format of the file (default: by its name)
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Check the file and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Skip lines with mistakes, and write them to FILE.rejects
    #[arg(long)]
    continue_on_error: bool,
    /// The file for lines with mistakes, instead of FILE.rejects
    #[arg(long, value_name = "FILE", requires = "continue_on_error")]
    rejects: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    /// One JSON object in each line
    Jsonl,
}

/// The result of an import.
#[derive(Debug, Serialize)]
struct Summary {
    dry_run: bool,
    created: u64,
    updated: u64,
    unchanged: u64,
    rejected: u64,
    seconds: f64,
}

pub(super) async fn run(args: &ImportArgs, context: &mut Context) -> Result<(), Failure> {
    match &args.what {
        ImportKind::Organizations(file) => {
            import::<OrganizationBatch>("organizations", file, None, context).await
        }
        ImportKind::Users(args) => {
            let organization = args.organization.as_deref();
            match organization {
                Some(_) => import::<CustomerBatch>("users", &args.file, organization, context).await,
                None => import::<UserBatch>("users", &args.file, None, context).await,
            }
        }
    }
}

async fn import<B: Batch>(
    what: &str,
    args: &FileArgs,
    organization: Option<&str>,
    context: &mut Context,
) -> Result<(), Failure> {
    let format = format(args)?;
    let (input, size) = open(&args.file)?;
    let mut rows = Rows::new(format, input)
        .map_err(|mistake| Failure::new(format!("{} cannot be read: {mistake}.", args.file.display())))?;
    if let Some(heading) = rows.heading() {
        check_heading(what, &heading, B::Row::COLUMNS)?;
    }
    let instance = context.open().await?;
    let organization_id = match organization {
        Some(text) => Some(which::organization(&instance, text).await?.id),
        None => None,
    };
    let rejects = match (args.continue_on_error, args.dry_run) {
        (true, false) => Some(Rejects::create(args, format, rows.heading())?),
        _ => None,
    };
    let started = std::time::Instant::now();
    let mut import = Import {
        db: &instance.db,
        at: instance.stamp(),
        author: Author {
            claimant: instance.claimant(),
            organization_id: organization_id.as_ref(),
        },
        dry_run: args.dry_run,
        continue_on_error: args.continue_on_error,
        chunk: CHUNK,
        rejects,
        progress: Progress::new(what, size),
        tally: Tally::default(),
    };
    let finished = import.run::<B>(&mut rows).await;
    import.progress.finish();
    let Tally {
        created,
        updated,
        unchanged,
        rejected,
    } = import.tally;
    let summary = Summary {
        dry_run: args.dry_run,
        created,
        updated,
        unchanged,
        rejected,
        seconds: started.elapsed().as_secs_f64(),
    };
    context.console.print(&summary, || {
        let would = if args.dry_run { " Nothing was changed: this was a dry run." } else { "" };
        format!(
            "{what}: {created} created, {updated} updated, {unchanged} unchanged, {rejected} rejected, in {:.1} s.{would}\n",
            summary.seconds
        )
    })?;
    finished?;
    if rejected == 0 {
        return Ok(());
    }
    let failure = Failure::new(format!("{rejected} lines were not imported."));
    Err(match import.rejects.as_ref().and_then(Rejects::written) {
        Some((path, lines)) if lines < rejected => failure.remedy(format!(
            "{} has {lines} of them: correct them there and import that file. The others are too long to be copied: \
             correct them in {}.",
            path.display(),
            args.file.display()
        )),
        Some((path, _)) => failure.remedy(format!(
            "They stand in {}: correct them there and import that file.",
            path.display()
        )),
        None => failure,
    })
}

/// An unknown column is a mistake of every line. So it is reported once, before anything is imported.
fn check_heading(what: &str, heading: &StringRecord, columns: &[&str]) -> Result<(), Failure> {
    let is_known = |name: &str| {
        name.is_empty()
            || columns.contains(&name)
            || name.strip_prefix("metadata.").is_some_and(|key| !key.is_empty())
    };
    let remedy = || format!("Columns of {what}: {}, metadata.ANYTHING.", columns.join(", "));
    if let Some(unknown) = heading.iter().find(|name| !is_known(name)) {
        return Err(Failure::new(format!(
            "The heading has the column \"{unknown}\", which {what} do not have."
        ))
        .remedy(format!("Nothing was imported. {}", remedy())));
    }
    let mut names: Vec<&str> = heading.iter().filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(
            Failure::new(format!("The heading has the column \"{}\" twice.", twice[0]))
                .remedy("Nothing was imported. Keep one of them."),
        );
    }
    if names.is_empty() {
        return Err(Failure::new("The file has no heading.").remedy(remedy()));
    }
    Ok(())
}

fn format(args: &FileArgs) -> Result<Format, Failure> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let extension = args.file.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("jsonl" | "ndjson") => Ok(Format::Jsonl),
        _ => Err(Failure::usage("The name of the file does not tell what it is.")
            .remedy("Add --format csv or --format jsonl.")),
    }
}

/// The file and its size, or standard input.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path)
        .map_err(|error| Failure::not_found(format!("{} cannot be read: {error}.", path.display())))?;
    let size = file.metadata().ok().map(|metadata| metadata.len());
    Ok((Box::new(BufReader::with_capacity(1 << 20, file)), size))
}
