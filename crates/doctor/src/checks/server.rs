//! A server, which has all parts of the service in one process.

use aws_credential_types::provider::SharedCredentialsProvider;
use hosting::{
    HostBuilder,
    config::{
        AuthorizeConfig, ConfigError, Host, PlatformConfig, RestoreConfig, ServerConfig, ServiceConfig,
        VariableLookup,
        variables::{DELETE_RECORD_DYNAMODB_TABLE_NAME, JOBS_QUEUE_ID, RESTORE_PACKAGE_QUEUE_URL},
    },
};

use crate::{
    checks::{
        configuration,
        endpoints::{
            authorizer_clock_urls, authorizer_endpoints, restore_endpoints, service_clock_urls,
            service_endpoints, unique_endpoints,
        },
    },
    queries::Purpose,
    report::{Check, Report},
    report_builder::ReportBuilder,
};

/// Checks what a server needs: all parts. If variables are missing, the parts with complete variables are checked.
pub async fn check_server(
    lookup: VariableLookup<'_>,
    credentials: impl AsyncFnOnce(&PlatformConfig) -> SharedCredentialsProvider,
) -> Report {
    let mut report = Report::default();
    let parts = ServerParts::read(lookup);
    let Some(platform) = parts.platform().cloned() else {
        report.add_section("Configuration", configuration::check_errors(parts.errors()));
        return report;
    };
    let credentials = credentials(&platform).await;
    let builder = match HostBuilder::new(platform, credentials) {
        Ok(builder) => builder,
        Err(error) => {
            let check =
                Check::failure("TLS", error.to_string(), "reinstall the system's certificate authorities");
            report.add_section("Configuration", vec![check]);
            return report;
        }
    };
    parts.check(lookup, &builder).await
}

/// The configuration of each part, or why it is not complete.
struct ServerParts {
    service: Result<ServiceConfig, ConfigError>,
    authorize: Result<AuthorizeConfig, ConfigError>,
    /// `None`: the restore function runs restores, and its variables are not set here.
    restore: Option<Result<RestoreConfig, ConfigError>>,
    /// All of them, with the variables that only a server has.
    server: Result<ServerConfig, ConfigError>,
}

impl ServerParts {
    fn read(lookup: VariableLookup<'_>) -> Self {
        let is_set = |name| lookup(name).is_some_and(|value| !value.trim().is_empty());
        let runs_restores = !is_set(RESTORE_PACKAGE_QUEUE_URL.name())
            || is_set(DELETE_RECORD_DYNAMODB_TABLE_NAME.name())
            || is_set(JOBS_QUEUE_ID.name());
        Self {
            service: ServiceConfig::read(Host::Server, lookup),
            authorize: AuthorizeConfig::read(Host::Server, lookup),
            restore: runs_restores.then(|| RestoreConfig::read(Host::Server, lookup)),
            server: ServerConfig::read(lookup),
        }
    }

    fn restore(&self) -> Option<&RestoreConfig> {
        self.restore.as_ref()?.as_ref().ok()
    }

    fn platform(&self) -> Option<&PlatformConfig> {
        let service = self.service.as_ref().ok().map(|config| &config.platform);
        let authorize = self.authorize.as_ref().ok().map(|config| &config.platform);
        service.or(authorize).or(self.restore().map(|config| &config.platform))
    }

    fn errors(&self) -> impl Iterator<Item = &ConfigError> + Clone {
        let restore = self.restore.as_ref().and_then(|part| part.as_ref().err());
        let parts =
            [self.service.as_ref().err(), self.authorize.as_ref().err(), restore, self.server.as_ref().err()];
        parts.into_iter().flatten()
    }

    fn check_configuration(&self, lookup: VariableLookup<'_>, platform: &PlatformConfig) -> Vec<Check> {
        let mut checks = configuration::check_errors(self.errors());
        if checks.is_empty() {
            checks.push(configuration::describe_platform(platform));
        }
        checks.extend(configuration::check_platform(lookup, platform));
        let service = self.service.iter();
        checks.extend(service.flat_map(|config| configuration::check_service(platform, config)));
        let authorize = self.authorize.iter();
        checks.extend(authorize.flat_map(|config| configuration::check_authorizer(platform, config)));
        let restore = self.restore().into_iter();
        checks.extend(restore.flat_map(|config| configuration::check_restore(platform, config)));
        checks.extend(self.server.iter().flat_map(configuration::check_console));
        checks
    }

    async fn check(&self, lookup: VariableLookup<'_>, builder: &HostBuilder) -> Report {
        let (service, authorize, restore) =
            (self.service.as_ref().ok(), self.authorize.as_ref().ok(), self.restore());
        let (mut endpoints, mut clock_urls, mut purposes) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(config) = authorize {
            endpoints.extend(authorizer_endpoints(builder, config));
            clock_urls.extend(authorizer_clock_urls(config));
            purposes.push(Purpose::Roles);
        }
        if let Some(config) = service {
            endpoints.extend(service_endpoints(builder, config).await);
            clock_urls.extend(service_clock_urls(builder, config).await);
            purposes.extend([Purpose::Listings, Purpose::Links, Purpose::Trash, Purpose::Orders]);
        }
        if let Some(config) = restore {
            endpoints.extend(restore_endpoints(builder, config));
            purposes.push(Purpose::Restores);
        }
        let configuration = self.check_configuration(lookup, builder.platform());
        let mut report = ReportBuilder::new(builder, configuration);
        report.add_network(unique_endpoints(endpoints)).await;
        let samples = report.add_database(&purposes).await;
        if let Some(config) = service {
            report.add_storage_and_key(config, &samples).await;
        }
        let queue_url = service.and_then(|config| config.restore_queue_url.as_deref());
        report.add_restores(queue_url, restore).await;
        if let Some(config) = authorize {
            report.add_pools(config).await;
        }
        report.add_clock(clock_urls).await;
        report.finish()
    }
}
