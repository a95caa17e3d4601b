//! `packages-service`: the service on one machine, and small helpers for those who run it.

#[cfg(feature = "dev")]
mod dev;
mod doctor;
mod openapi;
mod standalone;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Links to the files of scientific data packages, and packages back from the trash.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service with all that it needs: Postgres, S3, an edge, an identity provider and demo data
    #[cfg(feature = "dev")]
    Dev(dev::Options),
    /// Run the service for an existing platform; docs/configuration.md describes the variables
    Serve(standalone::Options),
    /// Check what `serve` is told by its variables against what is there; nothing is changed
    Doctor(doctor::Options),
    /// Print a fresh token for one of the demo's users
    #[cfg(feature = "dev")]
    Token(dev::token::Options),
    /// Print the SQL of the tables that the service adds to the platform's
    Schema,
    /// Print the API's description as OpenAPI
    Openapi(openapi::Options),
}

/// Where the local stack lives.
#[cfg(feature = "dev")]
#[derive(clap::Args)]
struct StateDirOption {
    /// The directory that holds the local stack's state
    #[arg(long, value_name = "DIR", default_value = ".local")]
    state_dir: std::path::PathBuf,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Doctor(options) => doctor::run(&options),
        command => run(command).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        #[expect(clippy::print_stderr, reason = "a command's error goes to its user")]
        {
            eprintln!("packages-service: {error}");
        }
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> std::io::Result<()> {
    match command {
        #[cfg(feature = "dev")]
        Command::Dev(options) => dev::run(options),
        Command::Doctor(options) => doctor::run(&options).map(drop),
        Command::Serve(options) => standalone::run(&options),
        #[cfg(feature = "dev")]
        Command::Token(options) => dev::token::run(&options),
        Command::Schema => {
            say(restore::SCHEMA.trim_end());
            Ok(())
        }
        Command::Openapi(options) => openapi::run(&options),
    }
}

/// Writes to standard output. A reader that has gone away is none of our business.
fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}
