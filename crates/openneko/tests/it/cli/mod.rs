//! The command line, as people and scripts use it.

mod documents;
mod grants;
mod install;
mod marketplaces;
mod printed_commands;
mod prompts;
mod registry;
mod secrets;
mod supply_chain;
mod update;
mod words;
