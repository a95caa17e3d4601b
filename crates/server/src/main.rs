//! `packages-service`: the service on one machine, and commands for its operators.

#[cfg(feature = "dev")]
mod dev;
mod doctor;
mod openapi;
mod shutdown;
mod standalone;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An error for the user of a command. It is printed, never inspected.
type CommandError = Box<dyn std::error::Error + Send + Sync>;
type CommandResult = Result<(), CommandError>;

/// Links to the files of scientific data packages, and restoring packages from the trash.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service with a local stack: Postgres, S3, an edge, an identity provider and demo data
    #[cfg(feature = "dev")]
    Dev(dev::DevOptions),
    /// Run the service on an existing platform; docs/configuration.md lists the environment variables
    Serve(standalone::ServeOptions),
    /// Check the configuration of `serve` against the platform, without changing anything
    Doctor(doctor::DoctorOptions),
    /// Print a new token for a demo user
    #[cfg(feature = "dev")]
    Token(dev::token::TokenOptions),
    /// Print the SQL of the tables that the service adds to the platform's database
    Schema,
    /// Print the OpenAPI document
    Openapi(openapi::OpenapiOptions),
}

/// The directory of the local stack.
#[cfg(feature = "dev")]
#[derive(clap::Args)]
struct StateDirOption {
    /// The directory with the local stack's state
    #[arg(long, value_name = "DIR", default_value = ".local")]
    state_dir: std::path::PathBuf,
}

fn main() -> ExitCode {
    run_command(Cli::parse().command).unwrap_or_else(|error| {
        #[expect(clippy::print_stderr, reason = "a command's error goes to its user")]
        {
            eprintln!("packages-service: {error}");
        }
        ExitCode::FAILURE
    })
}

fn run_command(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        #[cfg(feature = "dev")]
        Command::Dev(options) => dev::run_dev(options)?,
        Command::Doctor(options) => return doctor::run_doctor(&options),
        Command::Serve(options) => standalone::run_serve(&options)?,
        #[cfg(feature = "dev")]
        Command::Token(options) => dev::token::print_token(&options)?,
        Command::Schema => print_line(restore::SCHEMA.trim_end()),
        Command::Openapi(options) => openapi::print_openapi(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a line to standard output. A closed pipe is not an error: the reader has what it wanted.
fn print_line(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}
