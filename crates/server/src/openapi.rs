//! `packages-service openapi`: prints the OpenAPI documents.

use crate::{CommandResult, print_line};

#[derive(clap::Args)]
pub(crate) struct OpenapiOptions {
    /// Print the document for API Gateway, a template for Terraform
    #[arg(long)]
    gateway: bool,
}

/// Prints the content of `docs/openapi.yaml` or `terraform/packages-service.yml`.
pub(crate) fn print_openapi(options: &OpenapiOptions) -> CommandResult {
    let document = if options.gateway { api::openapi::gateway_yaml() } else { api::openapi::public_yaml() };
    print_line(document?.trim_end());
    Ok(())
}
