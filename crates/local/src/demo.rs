//! The demo data: a laboratory's dataset with real files, a trash with files and folders, and a second workspace whose users
//! must not see them.

pub mod files;

use std::{collections::BTreeMap, io, sync::Arc};

use packages::{
    asset::AssetPath,
    id::{DatasetNodeId, WorkspaceId},
};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    s3::S3Store,
    schema,
    stack::{STORAGE_BUCKET, VIEWER_ASSETS_BUCKET},
    state::StateDir,
    workspace::{Dataset, NewPackage, Package, SourceFile, Workspace},
};
use files::FileContent;

const DEMO_FILE: &str = "demo.json";

/// The content of the demo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Demo {
    /// The laboratory.
    pub workspace: WorkspaceId,
    /// Its dataset.
    pub dataset: DatasetNodeId,
    /// Its second dataset, of a course, in which the owner and the viewer have the same roles, and the others none. A state
    /// directory of an earlier version has no such dataset.
    #[serde(default)]
    pub course_dataset: Option<DatasetNodeId>,
    /// The dataset of the second workspace.
    pub other_dataset: DatasetNodeId,
    /// The users: four of the laboratory, each with another role in its dataset, and one of the second workspace.
    #[serde(rename = "people")]
    pub users: Vec<DemoUser>,
    /// The node ids of packages for examples and tests, by name.
    pub packages: BTreeMap<String, String>,
}

/// A user to sign in as.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DemoUser {
    /// The email address.
    pub email: String,
    /// The public id.
    pub node_id: String,
    /// The id at the identity provider.
    pub cognito_id: Uuid,
    /// The user's workspace.
    pub workspace: WorkspaceId,
    /// The role in the laboratory's dataset.
    pub role: Option<String>,
}

/// The demo of this state directory. Creates it if it is missing.
///
/// The demo is complete or missing: the database commits last, and a start that was interrupted before that creates
/// everything again.
pub async fn ensure_demo(state: &StateDir, client: Client, store: &S3Store) -> io::Result<Demo> {
    schema::create_shared_tables(&client).await.map_err(io::Error::other)?;
    let existing =
        client.query("SELECT 1 FROM pennsieve.organizations LIMIT 1", &[]).await.map_err(io::Error::other)?;
    // A workspace exists, so an earlier start committed.
    if !existing.is_empty() {
        // An earlier version did not keep them.
        schema::track_datasets(&client).await.map_err(io::Error::other)?;
        let text = std::fs::read_to_string(state.path().join(DEMO_FILE))?;
        return serde_json::from_str(&text).map_err(io::Error::other);
    }
    let client = Arc::new(client);
    client.batch_execute("BEGIN").await.map_err(io::Error::other)?;
    let demo = create_demo(&client, store).await?;
    state.write_file(DEMO_FILE, &serde_json::to_string_pretty(&demo)?)?;
    client.batch_execute("COMMIT").await.map_err(io::Error::other)?;
    Ok(demo)
}

async fn create_demo(client: &Arc<Client>, store: &S3Store) -> io::Result<Demo> {
    let laboratory = create_workspace(client, "Hippocampus Laboratory").await?;
    let other_workspace = create_workspace(client, "Cerebellum Laboratory").await?;
    let dataset = laboratory.create_dataset("Hippocampal slice 12").await.map_err(io::Error::other)?;
    let course = laboratory.create_dataset("Spikes for beginners").await.map_err(io::Error::other)?;
    let other_dataset = other_workspace.create_dataset("Purkinje cells").await.map_err(io::Error::other)?;

    let mut users = Vec::new();
    for role in ["owner", "editor", "viewer", "guest"] {
        let datasets =
            if matches!(role, "owner" | "viewer") { &[&dataset, &course][..] } else { &[&dataset] };
        users.push(create_user(&laboratory, role, datasets, role).await?);
    }
    let mut stranger = create_user(&other_workspace, "stranger", &[&other_dataset], "owner").await?;
    // The role is that in the laboratory, and the stranger has none there.
    stranger.role = None;
    users.push(stranger);

    let mut seeder = DatasetSeeder::new(&laboratory, &dataset, store);
    let recording = files::recording();
    seeder.create_live_packages(&recording).await?;
    seeder.create_trash().await?;
    let mut packages = seeder.named;
    let mut seeder = DatasetSeeder::new(&laboratory, &course, store);
    seeder.create_course(&recording).await?;
    packages.extend(seeder.named);

    let mut seeder = DatasetSeeder::new(&other_workspace, &other_dataset, store);
    let csv = FileContent::new("text/csv", "cell,lobule,dendrites_um\n1,IV,812\n2,V,774\n");
    seeder.create_file("other_file", None, "cells.csv", csv).await?;
    other_workspace.populate_usage().await.map_err(io::Error::other)?;
    packages.extend(seeder.named);
    Ok(Demo {
        workspace: laboratory.id,
        dataset: dataset.node_id,
        course_dataset: Some(course.node_id),
        other_dataset: other_dataset.node_id,
        users,
        packages,
    })
}

async fn create_workspace(client: &Arc<Client>, name: &str) -> io::Result<Workspace> {
    Workspace::create(Arc::clone(client), name).await.map_err(io::Error::other)
}

async fn create_user(
    workspace: &Workspace,
    name: &str,
    datasets: &[&Dataset],
    role: &str,
) -> io::Result<DemoUser> {
    let user = workspace.create_user(&format!("{name}@example.org")).await.map_err(io::Error::other)?;
    for dataset in datasets {
        workspace.grant_user_role(dataset, &user, role).await.map_err(io::Error::other)?;
    }
    Ok(DemoUser {
        email: user.email,
        node_id: user.node_id.to_string(),
        cognito_id: user.cognito_id,
        workspace: workspace.id,
        role: Some(role.to_owned()),
    })
}

/// Creates the packages of one dataset.
struct DatasetSeeder<'a> {
    workspace: &'a Workspace,
    dataset: &'a Dataset,
    store: &'a S3Store,
    /// Node ids by their names in `stack.json`. Packages with an empty name are left out.
    named: BTreeMap<String, String>,
}

impl<'a> DatasetSeeder<'a> {
    fn new(workspace: &'a Workspace, dataset: &'a Dataset, store: &'a S3Store) -> Self {
        Self { workspace, dataset, store, named: BTreeMap::new() }
    }

    async fn create_live_packages(&mut self, recording: &[u8]) -> io::Result<()> {
        let recordings = self.create_collection("recordings", None, "recordings").await?;
        let folder = Some(&recordings);
        let recording = FileContent::new("application/octet-stream", recording);
        self.create_file("recording", folder, "slice-12.dat", recording).await?;
        let sidecar = FileContent::new("application/json", files::recording_json()?);
        self.create_file("recording_about", folder, "slice-12.json", sidecar).await?;
        let table = FileContent::new("text/csv", files::units_csv());
        self.create_file("table", folder, "units.csv", table).await?;

        let parquet = FileContent::new("application/vnd.apache.parquet", files::spikes_parquet()?);
        let spikes = self.create_file("spikes", folder, "spikes.parquet", parquet.clone()).await?;
        self.create_asset(&spikes, "spikes.parquet", parquet)?;

        let imaging = self.create_collection("imaging", None, "imaging").await?;
        let png = FileContent::new("image/png", files::preview_png()?);
        let image = self.create_file("image", Some(&imaging), "overview.png", png.clone()).await?;
        self.create_asset(&image, "preview/thumbnail.png", png)?;

        let readme = "The pyramid is a viewer asset of this package: image.ome.zarr";
        let readme = FileContent::new("text/plain", readme);
        let pyramid = self.create_file("pyramid", Some(&imaging), "slice-12.ome.zarr.txt", readme).await?;
        for file in files::ome_zarr() {
            self.create_asset(&pyramid, &format!("image.ome.zarr/{}", file.path), file.content)?;
        }
        Ok(())
    }

    /// A Markdown file, a sound, and a folder with a JSON file and a table.
    async fn create_course(&mut self, recording: &[u8]) -> io::Result<()> {
        let readme = FileContent::new("text/markdown", files::COURSE_README);
        self.create_file("markdown", None, "README.md", readme).await?;
        let sound = FileContent::new("audio/wav", files::recording_wav(recording));
        self.create_file("sound", None, "channel-20.wav", sound).await?;
        let exercise = self.create_collection("exercise", None, "exercise").await?;
        let settings = FileContent::new("application/json", files::course_json());
        self.create_file("settings", Some(&exercise), "course.json", settings).await?;
        let answers = FileContent::new("text/tab-separated-values", files::answers_tsv());
        self.create_file("answers", Some(&exercise), "answers.tsv", answers).await?;
        self.workspace.populate_usage().await.map_err(io::Error::other)
    }

    /// A file, a folder of fifty pages in five folders, and a file whose name is taken by a live package. The counters are
    /// populated before the packages go to the trash, because the trash subtracts from them.
    async fn create_trash(&mut self) -> io::Result<()> {
        let page = |n| FileContent::new("text/markdown", files::notebook_page(n));
        let file = self.create_file("trashed_file", None, "protocol.md", page(0)).await?;
        let replaced = self.create_file("trashed_with_taken_name", None, "README.md", page(1)).await?;
        let notebook = self.create_collection("trashed_folder", None, "notebook").await?;
        for week in 1..=5 {
            let folder = self.create_collection("", Some(&notebook), &format!("week {week}")).await?;
            for day in 1..=10 {
                let title = format!("page {day:02}.md");
                self.create_file("", Some(&folder), &title, page(week * 10 + day)).await?;
            }
        }
        self.workspace.populate_usage().await.map_err(io::Error::other)?;
        for package in [&file, &replaced, &notebook] {
            self.workspace.trash(package).await.map_err(io::Error::other)?;
        }
        self.add_delete_markers().await?;
        self.create_file("live_with_taken_name", None, "README.md", page(2)).await?;
        self.workspace.populate_usage().await.map_err(io::Error::other)
    }

    /// Adds delete markers to the files of all packages in the trash.
    async fn add_delete_markers(&self) -> io::Result<()> {
        let workspace = self.workspace.id;
        let sql = format!(
            r#"SELECT f.s3_key FROM "{workspace}".files f JOIN "{workspace}".packages p ON p.id = f.package_id
               WHERE p.state = 'DELETED'"#
        );
        for row in self.workspace.client.query(&sql, &[]).await.map_err(io::Error::other)? {
            self.store.add_delete_marker(STORAGE_BUCKET, row.get("s3_key"))?;
        }
        Ok(())
    }

    async fn create_collection(
        &mut self,
        name: &str,
        parent: Option<&Package>,
        title: &str,
    ) -> io::Result<Package> {
        self.create_package(name, NewPackage::collection(parent.map(|parent| parent.id), title)).await
    }

    async fn create_file(
        &mut self,
        name: &str,
        parent: Option<&Package>,
        title: &str,
        content: FileContent,
    ) -> io::Result<Package> {
        let key = self.workspace.storage_key(self.dataset);
        let FileContent { content_type, bytes } = content;
        let size = i64::try_from(bytes.len()).map_err(io::Error::other)?;
        self.store.put(STORAGE_BUCKET, &key, bytes, content_type)?;
        let file = SourceFile::new(STORAGE_BUCKET, &key, size);
        self.create_package(name, NewPackage::file(parent.map(|parent| parent.id), title, file)).await
    }

    async fn create_package(&mut self, name: &str, new: NewPackage) -> io::Result<Package> {
        let created = self.workspace.create_packages(self.dataset, &[new]).await.map_err(io::Error::other)?;
        let package = created.into_iter().next().ok_or_else(|| io::Error::other("no package was created"))?;
        if !name.is_empty() {
            self.named.insert(name.to_owned(), package.node_id.to_string());
        }
        Ok(package)
    }

    fn create_asset(&self, package: &Package, path: &str, content: FileContent) -> io::Result<()> {
        let path = AssetPath::parse(path).map_err(io::Error::other)?;
        let key = path.object_key(self.workspace.id, self.dataset.id, package.id);
        self.store.put(VIEWER_ASSETS_BUCKET, &key, content.bytes, content.content_type).map(drop)
    }
}
