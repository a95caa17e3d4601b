//! Prints what restores cost: `cargo run --release -p server --example restore -- --files 1000 --shape flat`. The figures mean
//! little on a busy machine.
//!
//! Each restore goes through the router and the worker's own function, on the embedded Postgres and S3. Beside it stands its
//! floor: the same delete markers removed by the same number of calls, and the same rows changed by one statement. Memory is
//! this whole process's, the S3 with its objects included.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints, and stops at what it did not expect"
)]

#[path = "../../tests/it/app.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod app;
mod floor;
mod latency;
mod measure;
mod memory;

use app::{STORAGE, TestApp};
use clap::{Parser, ValueEnum};
use local::workspace::{TreeShape, TreeSpec};

/// Shapes that have a name on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Named {
    ManySmall,
    FewHuge,
    Flat,
    Deep,
}

impl From<Named> for TreeShape {
    fn from(named: Named) -> Self {
        match named {
            Named::ManySmall => Self::ManySmall,
            Named::FewHuge => Self::FewHuge,
            Named::Flat => Self::Flat,
            Named::Deep => Self::Deep,
        }
    }
}

/// What to measure; all of it where nothing is said.
#[derive(Debug, Parser)]
struct Wanted {
    /// Files in a restore.
    #[arg(long, value_delimiter = ',')]
    files: Vec<usize>,
    /// How they lie in folders.
    #[arg(long, value_delimiter = ',')]
    shape: Vec<Named>,
    /// Measure 100 files of each shape in a tenant with so many live packages, too.
    #[arg(long)]
    tenant: Option<usize>,
    /// Time links while so many files are restored, too.
    #[arg(long)]
    links: Option<usize>,
}

impl Wanted {
    /// Where nothing is said, everything is meant.
    fn or_all(mut self) -> Self {
        let shapes = self.shape.is_empty();
        if self.files.is_empty() && shapes && self.tenant.is_none() && self.links.is_none() {
            self.files = vec![100, 1000, 10_000, 50_000];
            (self.tenant, self.links) = (Some(1_000_000), Some(50_000));
        }
        if self.files.is_empty() && !shapes {
            self.files = vec![100, 1000, 10_000, 50_000];
        }
        if shapes {
            self.shape = Named::value_variants().to_vec();
        }
        self
    }

    fn shapes(&self) -> impl Iterator<Item = TreeShape> {
        self.shape.iter().map(|named| TreeShape::from(*named))
    }
}

#[tokio::main]
async fn main() {
    let wanted = Wanted::parse().or_all();
    if !wanted.files.is_empty() {
        measure::header("each in a tenant of its own");
        for files in &wanted.files {
            for shape in wanted.shapes() {
                measure::line(&TestApp::start().await, shape, *files).await;
            }
        }
    }
    if let Some(packages) = wanted.tenant {
        let app = TestApp::start().await;
        let filling = TreeSpec::live(TreeShape::ManySmall, packages, STORAGE);
        app.workspace.create_tree(&app.dataset, None, &filling).await.unwrap();
        measure::header(&format!("in a tenant of {packages} packages"));
        let mut folder = None;
        for shape in wanted.shapes() {
            folder = Some(measure::line(&app, shape, 100).await);
        }
        latency::questions(&app, &folder.unwrap()).await;
    }
    if let Some(files) = wanted.links {
        latency::report(TestApp::start().await, wanted.shapes().next().unwrap(), files).await;
    }
}
