//! `packages-service token`: issues a token for a demo user.

use aws::Clock;
use local::tokens::LocalIssuer;

use crate::{CommandResult, StateDirOption, dev::stack_file::StackFile, print_line};

/// How long a token is valid: a day.
pub(crate) const TOKEN_LIFETIME_SECONDS: u64 = 24 * 3600;

#[derive(clap::Args)]
pub(crate) struct TokenOptions {
    #[command(flatten)]
    state: StateDirOption,
    /// The user's email address, as in stack.json
    #[arg(long, value_name = "EMAIL")]
    user: String,
}

/// Prints a token. The stack need not be running.
pub(crate) fn print_token(options: &TokenOptions) -> CommandResult {
    let state_dir = &options.state.state_dir;
    let stack = StackFile::read(state_dir)?;
    let Some(user) = stack.users.iter().find(|user| user.email == options.user) else {
        let known: Vec<&str> = stack.users.iter().map(|user| user.email.as_str()).collect();
        return Err(format!("unknown user {}; the users are {}", options.user, known.join(", ")).into());
    };
    let key = std::fs::read_to_string(state_dir.join("keys/tokens.pem"))?;
    let issuer = LocalIssuer::new(&key)?;
    print_line(&issuer.issue_user_token(user.cognito_id, Clock::System.now(), TOKEN_LIFETIME_SECONDS)?);
    Ok(())
}
