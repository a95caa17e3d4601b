//! The Lambda function with the gateway's authorizer.

use std::process::ExitCode;

use authorize::Authorizer;
use doctor::check_authorizer;
use hosting::HostBuilder;
use hosting::config::{self, Host};
use lambda::{authorizer, host};

fn main() -> ExitCode {
    host::run_function(async || {
        let config = config::AuthorizeConfig::read(Host::Lambda, &hosting::read_variable)?;
        let telemetry = host::init_telemetry("packages-authorizer", &config.platform);
        let builder = HostBuilder::from_environment(config.platform.clone())?;
        let start = async || Ok(builder.build_authorizer(&config, builder.connect_db().await?)?.with_teams());
        let check = async || check_authorizer(&hosting::read_variable, &builder, &config).await;
        let handle = async |authorizer: &Authorizer, event| authorizer::handle_event(authorizer, event).await;
        host::poll_events(telemetry, check, start, handle).await
    })
}
