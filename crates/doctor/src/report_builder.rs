//! Adds the sections of a report, one after the other.

use hosting::{
    HostBuilder,
    config::{AuthorizeConfig, RestoreConfig, ServiceConfig},
};
use signing_keys::KeySource;

use crate::{
    CLOCK,
    checks::{
        clock, database,
        endpoints::ClockUrl,
        network::{self, Endpoint, ReachableEndpoints},
        pools, queues, signing_key,
        storage::{self, BucketUse, SampleBucket},
    },
    queries::{Purpose, SampleFile},
    report::{Check, Report},
};

/// A report in progress. After the network section, only reachable endpoints are checked.
pub(crate) struct ReportBuilder<'a> {
    builder: &'a HostBuilder,
    reachable: ReachableEndpoints,
    report: Report,
}

impl<'a> ReportBuilder<'a> {
    pub(crate) fn new(builder: &'a HostBuilder, configuration: Vec<Check>) -> Self {
        let mut report = Report::default();
        report.add_section("Configuration", configuration);
        Self { builder, reachable: ReachableEndpoints::default(), report }
    }

    pub(crate) fn finish(self) -> Report {
        self.report
    }

    pub(crate) async fn add_network(&mut self, endpoints: Vec<Endpoint>) {
        let (checks, reachable) = network::check_endpoints(endpoints).await;
        self.report.add_section("Network", checks);
        self.reachable = reachable;
    }

    pub(crate) async fn add_database(&mut self, purposes: &[Purpose]) -> Vec<SampleFile> {
        if !self.reachable.contains("database") {
            return Vec::new();
        }
        let (checks, samples) = Box::pin(database::check_database(self.builder, purposes)).await;
        self.report.add_section("Database", checks);
        samples
    }

    /// The buckets that the API reads, and the key that signs links.
    pub(crate) async fn add_storage_and_key(&mut self, config: &ServiceConfig, samples: &[SampleFile]) {
        let asset_key = if self.reachable.contains("s3") {
            self.add_read_buckets(config, samples).await;
            let objects = self.builder.object_store();
            objects.find_any_key(config.viewer_assets.as_str()).await.ok().flatten()
        } else {
            None
        };
        let Ok(source) = self.builder.key_source(&config.cdn) else { return };
        if matches!(source, KeySource::Ssm { .. }) && !self.reachable.contains("ssm") {
            return;
        }
        let now = CLOCK.now();
        let (mut checks, signer) = Box::pin(signing_key::check_key(&source, &config.cdn, now)).await;
        checks.push(match (signer, asset_key) {
            (None, _) => Check::skipped("a signed link", "there is no key to sign it with"),
            (_, None) => Check::skipped("a signed link", "no viewer asset was found"),
            (Some(_), _) if !self.reachable.contains("cdn") => {
                Check::skipped("a signed link", "the distribution is unreachable")
            }
            (Some(signer), Some(key)) => {
                signing_key::check_link(self.builder.http(), &signer, &config.cdn.origin, &key, now).await
            }
        });
        self.report.add_section("Signing key", checks);
    }

    async fn add_read_buckets(&mut self, config: &ServiceConfig, samples: &[SampleFile]) {
        let (objects, now, mut checks) = (self.builder.object_store(), CLOCK.now(), Vec::new());
        let stored = samples.iter().filter_map(SampleBucket::from_file);
        for sample in stored.filter(|sample| sample.bucket != config.viewer_assets) {
            checks
                .extend(Box::pin(storage::check_bucket(&objects, BucketUse::StoredFiles, sample, now)).await);
        }
        let assets = SampleBucket { bucket: config.viewer_assets.clone(), key: None };
        checks.extend(Box::pin(storage::check_bucket(&objects, BucketUse::ViewerAssets, assets, now)).await);
        self.report.add_section("Storage", checks);
    }

    /// The buckets where restores remove delete markers.
    pub(crate) async fn add_restored_buckets(&mut self, samples: &[SampleFile]) {
        if !self.reachable.contains("s3") {
            return;
        }
        let (objects, now, mut checks) = (self.builder.object_store(), CLOCK.now(), Vec::new());
        for sample in samples.iter().filter_map(SampleBucket::from_file) {
            checks.extend(Box::pin(storage::check_bucket(&objects, BucketUse::Restores, sample, now)).await);
        }
        self.report.add_section("Storage", checks);
    }

    /// The restore queue, and where restores write.
    pub(crate) async fn add_restores(&mut self, queue_url: Option<&str>, config: Option<&RestoreConfig>) {
        let mut checks = self.check_restore_queue(queue_url).await;
        if let Some(config) = config {
            checks.extend(self.check_changelog(config).await);
            checks.extend(self.check_delete_records(config).await);
        }
        self.report.add_section("Restores", checks);
    }

    async fn check_restore_queue(&self, url: Option<&str>) -> Vec<Check> {
        let Some(url) = url.filter(|_| self.reachable.contains("sqs")) else { return Vec::new() };
        match self.builder.sqs_queue(url.to_owned()) {
            Ok(queue) => Box::pin(queues::check_restore_queue(&queue.client, url)).await,
            Err(error) => {
                vec![Check::failure("restore orders", error.to_string(), "correct AWS_ENDPOINT_URL_SQS")]
            }
        }
    }

    async fn check_changelog(&self, config: &RestoreConfig) -> Option<Check> {
        let Some(url) = &config.changelog_queue_url else {
            return Some(Check::ok("changelog", "none, as configured"));
        };
        if !self.reachable.contains("sqs") {
            return None;
        }
        let queue = self.builder.sqs_queue(url.clone()).ok()?;
        Some(Box::pin(queues::check_changelog(&queue.client, url)).await)
    }

    async fn check_delete_records(&self, config: &RestoreConfig) -> Option<Check> {
        let Some(table) = &config.delete_record_table else {
            return Some(Check::ok("delete records", "none, as configured"));
        };
        if !self.reachable.contains("dynamodb") {
            return None;
        }
        let client = self.builder.dynamodb_client().ok()?;
        Some(Box::pin(queues::check_delete_records(client, table)).await)
    }

    pub(crate) async fn add_pools(&mut self, config: &AuthorizeConfig) {
        if self.reachable.contains("cognito") {
            let checks = pools::check_pools(self.builder.http(), config).await;
            self.report.add_section("User pools", checks);
        }
    }

    /// Compares our clock with that of a reachable endpoint.
    pub(crate) async fn add_clock(&mut self, urls: Vec<ClockUrl>) {
        let reachable = urls.into_iter().filter(|clock| self.reachable.contains(clock.endpoint));
        let urls: Vec<String> = reachable.map(|clock| clock.url).collect();
        let check = clock::check_clock(self.builder.http(), &urls, || CLOCK.now()).await;
        self.report.add_section("Clock", vec![check]);
    }
}
