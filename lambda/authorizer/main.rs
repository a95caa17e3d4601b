//! The gateway's authorizer as a Lambda function.

use std::process::ExitCode;

use doctor::check_authorizer;
use hosting::Builder;
use lambda::{authorizer, host};
use packages::config::{self, Host};

fn main() -> ExitCode {
    host::run(async || {
        let config = config::Authorize::read(Host::Lambda, &hosting::variable)?;
        let telemetry = host::telemetry("packages-authorizer", &config.platform);
        let builder = Builder::from_environment(config.platform.clone())?;
        let decider = builder.authorizer(&config, builder.db().await?);
        let check = async || check_authorizer(&hosting::variable, &builder, &config).await;
        host::poll(telemetry, check, async |event| authorizer::handle(&decider, event).await).await
    })
}
