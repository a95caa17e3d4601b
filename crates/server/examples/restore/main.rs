//! Prints the cost of restores: `cargo run --release -p server --example restore -- --files 1000 --shape flat`. Figures from a
//! busy machine are not meaningful.
//!
//! Each restore goes through the router and the worker, on the embedded Postgres and S3. Its lower bound removes the same
//! delete markers with the same number of calls, and updates the same rows with one statement. Memory is that of the whole
//! process, including S3 and its objects.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a command-line program that panics on unexpected results"
)]

#[path = "../../tests/it/app.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod app;
mod floor;
mod latency;
mod measure;
mod memory;

use app::{STORAGE, TestApp};
use clap::{Parser, ValueEnum};
use local::workspace::{TreeShape, TreeSpec};

/// Shapes as named on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShapeName {
    ManySmall,
    FewHuge,
    Flat,
    Deep,
}

impl From<ShapeName> for TreeShape {
    fn from(name: ShapeName) -> Self {
        match name {
            ShapeName::ManySmall => Self::ManySmall,
            ShapeName::FewHuge => Self::FewHuge,
            ShapeName::Flat => Self::Flat,
            ShapeName::Deep => Self::Deep,
        }
    }
}

/// What to measure. Without options, everything.
#[derive(Debug, Parser)]
struct Options {
    /// Files in a restore.
    #[arg(long, value_delimiter = ',')]
    files: Vec<usize>,
    /// How files are distributed over folders.
    #[arg(long, value_delimiter = ',')]
    shape: Vec<ShapeName>,
    /// Also measure 100 files of each shape in a tenant with this many live packages.
    #[arg(long)]
    tenant: Option<usize>,
    /// Also time links while this many files are restored.
    #[arg(long)]
    links: Option<usize>,
}

impl Options {
    /// Fills in what the command line does not say.
    fn with_defaults(mut self) -> Self {
        let shapes = self.shape.is_empty();
        if self.files.is_empty() && shapes && self.tenant.is_none() && self.links.is_none() {
            self.files = vec![100, 1000, 10_000, 50_000];
            (self.tenant, self.links) = (Some(1_000_000), Some(50_000));
        }
        if self.files.is_empty() && !shapes {
            self.files = vec![100, 1000, 10_000, 50_000];
        }
        if shapes {
            self.shape = ShapeName::value_variants().to_vec();
        }
        self
    }

    fn shapes(&self) -> impl Iterator<Item = TreeShape> {
        self.shape.iter().map(|name| TreeShape::from(*name))
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse().with_defaults();
    if !options.files.is_empty() {
        measure::print_header("each in a tenant of its own");
        for files in &options.files {
            for shape in options.shapes() {
                measure::measure_shape(&TestApp::start().await, shape, *files).await;
            }
        }
    }
    if let Some(packages) = options.tenant {
        let app = TestApp::start().await;
        let filling = TreeSpec::live(TreeShape::ManySmall, packages, STORAGE);
        app.workspace.create_tree(&app.dataset, None, &filling).await.unwrap();
        measure::print_header(&format!("in a tenant of {packages} packages"));
        let mut folder = None;
        for shape in options.shapes() {
            folder = Some(measure::measure_shape(&app, shape, 100).await);
        }
        latency::report_requests(&app, &folder.unwrap()).await;
    }
    if let Some(files) = options.links {
        latency::report_latency(TestApp::start().await, options.shapes().next().unwrap(), files).await;
    }
}
