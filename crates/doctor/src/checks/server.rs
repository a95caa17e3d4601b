//! A server, which has all parts of the service in one process.

use crate::queries::Purpose;
use aws_credential_types::provider::SharedCredentialsProvider;
use hosting::HostBuilder;
use hosting::config::{
    AuthorizeConfig, ConfigError, Host, PlatformConfig, RestoreConfig, ServiceConfig, VariableLookup,
};

use crate::{
    authorizer_variables, check_destinations, check_order_queue,
    checks::{
        configuration,
        endpoints::{
            authorizer_endpoints, authorizer_urls, restore_endpoints, service_endpoints, service_urls,
            unique_endpoints,
        },
        network,
    },
    push_clock, push_database, push_pools, push_service,
    report::{Check, Report},
    restore_variables, service_variables,
};

/// What a server needs, which is all of it. Where variables are missing, what the others allow is checked.
pub async fn check_server(
    lookup: VariableLookup<'_>,
    credentials: impl AsyncFnOnce(&PlatformConfig) -> SharedCredentialsProvider,
) -> Report {
    let mut report = Report::default();
    let parts = Parts::read(lookup);
    let Some(platform) = parts.platform().cloned() else {
        report.push("Configuration", configuration::check_errors(parts.errors()));
        return report;
    };
    let credentials = credentials(&platform).await;
    let builder = match HostBuilder::new(platform, credentials) {
        Ok(builder) => builder,
        Err(error) => {
            let check =
                Check::failure("TLS", error.to_string(), "reinstall the system's certificate authorities");
            report.push("Configuration", vec![check]);
            return report;
        }
    };
    report.push("Configuration", parts.configuration(lookup, builder.platform()));
    parts.check(&mut report, &builder).await;
    report
}

/// What a server could be told.
struct Parts {
    service: Result<ServiceConfig, ConfigError>,
    authorize: Result<AuthorizeConfig, ConfigError>,
    /// `None`: other functions restore, and this place was not told how.
    restore: Option<Result<RestoreConfig, ConfigError>>,
}

impl Parts {
    fn read(lookup: VariableLookup<'_>) -> Self {
        let is_set = |name| lookup(name).is_some_and(|value| !value.trim().is_empty());
        let restores = !is_set("RESTORE_PACKAGE_QUEUE_URL")
            || is_set("DELETE_RECORD_DYNAMODB_TABLE_NAME")
            || is_set("JOBS_QUEUE_ID");
        Self {
            service: ServiceConfig::read(Host::Server, lookup),
            authorize: AuthorizeConfig::read(Host::Server, lookup),
            restore: restores.then(|| RestoreConfig::read(Host::Server, lookup)),
        }
    }

    fn restore(&self) -> Option<&RestoreConfig> {
        self.restore.as_ref()?.as_ref().ok()
    }

    fn platform(&self) -> Option<&PlatformConfig> {
        let service = self.service.as_ref().ok().map(|part| &part.platform);
        let authorize = self.authorize.as_ref().ok().map(|part| &part.platform);
        service.or(authorize).or(self.restore().map(|part| &part.platform))
    }

    fn errors(&self) -> impl Iterator<Item = &ConfigError> + Clone {
        let restore = self.restore.as_ref().and_then(|part| part.as_ref().err());
        self.service.as_ref().err().into_iter().chain(self.authorize.as_ref().err()).chain(restore)
    }

    fn configuration(&self, lookup: VariableLookup<'_>, platform: &PlatformConfig) -> Vec<Check> {
        let mut checks = configuration::check_errors(self.errors());
        if checks.is_empty() {
            checks.push(configuration::check_complete(platform));
        }
        checks.extend(configuration::check_platform(lookup, platform));
        checks.extend(self.service.iter().flat_map(|part| service_variables(platform, part)));
        checks.extend(self.authorize.iter().flat_map(|part| authorizer_variables(platform, part)));
        checks.extend(self.restore().into_iter().flat_map(|part| restore_variables(platform, part)));
        checks
    }

    async fn check(&self, report: &mut Report, builder: &HostBuilder) {
        let (service, authorize, restore) =
            (self.service.as_ref().ok(), self.authorize.as_ref().ok(), self.restore());
        let (mut endpoints, mut urls, mut purposes) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(config) = authorize {
            endpoints.extend(authorizer_endpoints(builder, config));
            urls.extend(authorizer_urls(config));
            purposes.push(Purpose::Roles);
        }
        if let Some(config) = service {
            endpoints.extend(service_endpoints(builder, config).await);
            urls.extend(service_urls(builder, config).await);
            purposes.extend([Purpose::Links, Purpose::Trash, Purpose::Orders]);
        }
        if let Some(config) = restore {
            endpoints.extend(restore_endpoints(builder, config));
            purposes.push(Purpose::Restores);
        }
        let (checks, reached) = network::check_endpoints(unique_endpoints(endpoints)).await;
        report.push("Network", checks);
        let samples = push_database(report, builder, &reached, &purposes).await;
        if let Some(config) = service {
            push_service(report, builder, (config, &samples), &reached).await;
        }
        let mut restores = Vec::new();
        let queue = service.and_then(|config| config.restore_queue_url.as_ref());
        if let Some(url) = queue.filter(|_| reached.has("sqs")) {
            restores.extend(check_order_queue(builder, url).await);
        }
        if let Some(config) = restore {
            restores.extend(check_destinations(builder, config, &reached).await);
        }
        report.push("Restores", restores);
        if let Some(config) = authorize {
            push_pools(report, builder, config, &reached).await;
        }
        push_clock(report, builder, &reached, urls).await;
    }
}
