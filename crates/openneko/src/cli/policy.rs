//! `openneko policy …`.

use clap::{Args, Subcommand, ValueEnum};

use super::list::Output;
use super::{Context, Failure};
use crate::marketplace::{self, Marketplaces, OFFICIAL_URL};
use crate::policy::Policy;

const EXAMPLES: &str = "\
Examples:
  openneko policy
  openneko policy allow acme
  openneko policy deny acme
  openneko policy set allow-unverified true

The policy is in ~/.config/openneko/config.json, under installPolicy. Without a
policy you can install only from the official marketplace.";

/// Show or change the install policy
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct PolicyArgs {
    /// The format of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(subcommand)]
    command: Option<PolicyCommand>,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    Set(SetArgs),
    Allow(MarketplaceArg),
    Deny(DenyArg),
}

/// Allow or deny a kind of installation
#[derive(Debug, Args)]
struct SetArgs {
    #[arg(value_enum)]
    setting: Setting,
    #[arg(action = clap::ArgAction::Set)]
    value: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Setting {
    /// Packages that no marketplace lists: `install --unverified`
    #[value(name = "allow-unverified")]
    Unverified,
    /// Read by other hosts of the same configuration; openneko never installs from Git
    #[value(name = "allow-git-url-installs")]
    GitUrlInstalls,
    /// Read by other hosts of the same configuration; openneko has no skills
    #[value(name = "allow-sandboxed-skill-escape")]
    SandboxedSkillEscape,
}

/// Allow installations from a marketplace
#[derive(Debug, Args)]
struct MarketplaceArg {
    /// The slug of a trusted marketplace, or an address
    marketplace: String,
}

/// Forbid installations from a marketplace
#[derive(Debug, Args)]
struct DenyArg {
    /// The slug of a trusted marketplace, or an address
    marketplace: String,
}

pub(super) fn run(args: &PolicyArgs, context: &mut Context) -> Result<(), Failure> {
    let policy = match &args.command {
        None => Policy::read(&context.paths)?,
        Some(PolicyCommand::Set(args)) => Policy::edit(&context.paths, |policy| {
            *match args.setting {
                Setting::Unverified => &mut policy.allow_unverified,
                Setting::GitUrlInstalls => &mut policy.allow_git_url_installs,
                Setting::SandboxedSkillEscape => &mut policy.allow_sandboxed_skill_escape,
            } = args.value;
        })?,
        Some(PolicyCommand::Allow(args)) => {
            let address = address(&args.marketplace, context)?;
            Policy::edit(&context.paths, |policy| {
                if !policy.allows_marketplace(&address) {
                    policy.allowed_marketplaces.push(address);
                }
            })?
        }
        Some(PolicyCommand::Deny(args)) => {
            let address = address(&args.marketplace, context)?;
            if address == OFFICIAL_URL {
                return Err(Failure::new("the official marketplace is always allowed"));
            }
            Policy::edit(&context.paths, |policy| {
                policy.allowed_marketplaces.retain(|allowed| *allowed != address);
            })?
        }
    };
    show(&policy, args.output, context)
}

/// The address of a trusted marketplace's slug, or the address itself.
fn address(text: &str, context: &Context) -> Result<String, Failure> {
    let marketplaces = Marketplaces::read(&context.paths)?;
    if let Some(found) = marketplaces.find(text) {
        return Ok(found.url.clone());
    }
    marketplace::address(text, &context.paths.current_dir).map_err(|_| {
        let slugs: Vec<_> = marketplaces.trusted.iter().map(|one| one.name.as_str()).collect();
        Failure::usage(format!(
            "policy: {text:?} is neither an address nor a trusted marketplace ({})",
            slugs.join(", ")
        ))
    })
}

fn show(policy: &Policy, output: Output, context: &mut Context) -> Result<(), Failure> {
    if output == Output::Json {
        return context.console.json(policy);
    }
    let yes_no = |value| if value { "yes" } else { "no" };
    for (name, value) in [
        ("allow-unverified", policy.allow_unverified),
        ("allow-git-url-installs", policy.allow_git_url_installs),
        (
            "allow-sandboxed-skill-escape",
            policy.allow_sandboxed_skill_escape,
        ),
    ] {
        context.console.line(&format!("{name}: {}", yes_no(value)))?;
    }
    context.console.line("allowed marketplaces:")?;
    for url in &policy.allowed_marketplaces {
        context.console.line(&format!("  {url}"))?;
    }
    Ok(())
}
