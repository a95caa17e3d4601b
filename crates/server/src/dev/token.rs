//! `packages-service token`: a fresh token for one of the demo's users.

use std::io;

use aws::Clock;
use local::tokens::LocalIssuer;

use crate::{StateDirOption, dev::stack_file::StackFile, say};

/// How long a token is good for, in seconds: a day's work.
pub(crate) const LIFE: u64 = 24 * 3600;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    state: StateDirOption,
    /// The user's email address, as in stack.json
    #[arg(long, value_name = "EMAIL")]
    user: String,
}

/// Prints a token. The stack need not be running.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let state_dir = &options.state.state_dir;
    let stack = StackFile::read(state_dir)?;
    let Some(user) = stack.users.iter().find(|user| user.email == options.user) else {
        let known: Vec<&str> = stack.users.iter().map(|user| user.email.as_str()).collect();
        return Err(io::Error::other(format!("no user {}; there are {}", options.user, known.join(", "))));
    };
    let key = std::fs::read_to_string(state_dir.join("keys/tokens.pem"))?;
    let issuer = LocalIssuer::new(&key).map_err(io::Error::other)?;
    say(&issuer.issue_user_token(user.cognito_id, Clock::System.now(), LIFE).map_err(io::Error::other)?);
    Ok(())
}
