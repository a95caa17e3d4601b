//! `packages-service openapi`: the API's description.

use std::io;

use crate::say;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What API Gateway imports, as a template for Terraform, in place of what callers read
    #[arg(long)]
    gateway: bool,
}

/// Prints it, as it stands in docs/openapi.yaml or terraform/packages-service.yml.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let document = if options.gateway { api::openapi::gateway_yaml() } else { api::openapi::public_yaml() };
    say(document.map_err(io::Error::other)?.trim_end());
    Ok(())
}
