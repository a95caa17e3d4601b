//! The demo: a laboratory's dataset with real files in it, a trash worth emptying, and a neighbour to be kept out.

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
    s3::S3,
    schema,
    stack::{STORAGE_BUCKET, VIEWER_ASSETS_BUCKET},
    state::StateDir,
    workspace::{Dataset, NewPackage, Package, Workspace},
};

const FILE: &str = "demo.json";

/// What the demo consists of, for those who want to try it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Demo {
    /// The laboratory.
    pub workspace: WorkspaceId,
    /// Its dataset.
    pub dataset: DatasetNodeId,
    /// The neighbour's dataset.
    pub other_dataset: DatasetNodeId,
    /// The people: four of the laboratory, each with another role in its dataset, and one neighbour.
    pub people: Vec<Person>,
    /// Packages worth trying, by a name for each: node ids.
    pub packages: BTreeMap<String, String>,
}

/// Somebody to log in as.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    /// Address.
    pub email: String,
    /// Public id.
    pub node_id: String,
    /// What the identity provider knows them by.
    pub cognito_id: Uuid,
    /// Where they belong.
    pub workspace: WorkspaceId,
    /// Their role in the laboratory's dataset.
    pub role: Option<String>,
}

/// The demo of this state directory, made if it is not there yet. It is there as a whole or not at all: the database
/// commits last, and a start that was cut off before that makes everything anew.
pub async fn ensure(state: &StateDir, client: Client, store: &S3) -> io::Result<Demo> {
    schema::create_shared(&client).await.map_err(io::Error::other)?;
    let made =
        client.query("SELECT 1 FROM pennsieve.organizations LIMIT 1", &[]).await.map_err(io::Error::other)?;
    if !made.is_empty() {
        let text = std::fs::read_to_string(state.path().join(FILE))?;
        return serde_json::from_str(&text).map_err(io::Error::other);
    }
    let client = Arc::new(client);
    client.batch_execute("BEGIN").await.map_err(io::Error::other)?;
    let demo = Seeding { client: Arc::clone(&client), store }.seed().await?;
    state.write(FILE, &serde_json::to_string_pretty(&demo)?)?;
    client.batch_execute("COMMIT").await.map_err(io::Error::other)?;
    Ok(demo)
}

struct Seeding<'a> {
    client: Arc<Client>,
    store: &'a S3,
}

/// A place for packages, and their names for `stack.json`.
struct Shelf<'a> {
    workspace: &'a Workspace,
    dataset: &'a Dataset,
    store: &'a S3,
    named: BTreeMap<String, String>,
}

impl Seeding<'_> {
    async fn seed(&self) -> io::Result<Demo> {
        let laboratory = self.workspace("Hippocampus Laboratory").await?;
        let neighbour = self.workspace("Cerebellum Laboratory").await?;
        let dataset = laboratory.dataset("Hippocampal slice 12").await.map_err(io::Error::other)?;
        let other_dataset = neighbour.dataset("Purkinje cells").await.map_err(io::Error::other)?;

        let mut people = Vec::new();
        for role in ["owner", "editor", "viewer", "guest"] {
            people.push(person(&laboratory, role, (&dataset, role)).await?);
        }
        let mut stranger = person(&neighbour, "stranger", (&other_dataset, "owner")).await?;
        stranger.role = None;
        people.push(stranger);

        let mut shelf =
            Shelf { workspace: &laboratory, dataset: &dataset, store: self.store, named: BTreeMap::new() };
        shelf.live_packages().await?;
        shelf.trash().await?;
        let mut packages = shelf.named;
        let mut shelf = Shelf {
            workspace: &neighbour,
            dataset: &other_dataset,
            store: self.store,
            named: BTreeMap::new(),
        };
        shelf
            .file(
                "other_file",
                None,
                "cells.csv",
                ("text/csv", b"cell,lobule,dendrites_um\n1,IV,812\n2,V,774\n".to_vec()),
            )
            .await?;
        neighbour.populate().await.map_err(io::Error::other)?;
        packages.extend(shelf.named);
        let (dataset, other_dataset) = (dataset.node_id, other_dataset.node_id);
        Ok(Demo { workspace: laboratory.id, dataset, other_dataset, people, packages })
    }

    async fn workspace(&self, name: &str) -> io::Result<Workspace> {
        Workspace::create(Arc::clone(&self.client), name).await.map_err(io::Error::other)
    }
}

async fn person(workspace: &Workspace, name: &str, (dataset, role): (&Dataset, &str)) -> io::Result<Person> {
    let user = workspace.user(&format!("{name}@example.org")).await.map_err(io::Error::other)?;
    workspace.grant(dataset, &user, role).await.map_err(io::Error::other)?;
    Ok(Person {
        email: user.email,
        node_id: user.node_id.to_string(),
        cognito_id: user.cognito_id,
        workspace: workspace.id,
        role: Some(role.to_owned()),
    })
}

impl Shelf<'_> {
    async fn live_packages(&mut self) -> io::Result<()> {
        let recordings = self.collection("recordings", None, "recordings").await?;
        self.file(
            "recording",
            Some(&recordings),
            "slice-12.dat",
            ("application/octet-stream", files::recording()),
        )
        .await?;
        let about = ("application/json", files::recording_json()?.into_bytes());
        self.file("recording_about", Some(&recordings), "slice-12.json", about).await?;
        self.file("table", Some(&recordings), "units.csv", ("text/csv", files::csv().into_bytes())).await?;

        let parquet = files::parquet()?;
        let type_ = "application/vnd.apache.parquet";
        let spikes =
            self.file("spikes", Some(&recordings), "spikes.parquet", (type_, parquet.clone())).await?;
        self.asset(&spikes, "spikes.parquet", (type_, parquet))?;

        let imaging = self.collection("imaging", None, "imaging").await?;
        let png = files::png()?;
        let image = self.file("image", Some(&imaging), "overview.png", ("image/png", png.clone())).await?;
        self.asset(&image, "preview/thumbnail.png", ("image/png", png))?;

        let readme = b"The pyramid is a viewer asset of this package: image.ome.zarr".to_vec();
        let pyramid =
            self.file("pyramid", Some(&imaging), "slice-12.ome.zarr.txt", ("text/plain", readme)).await?;
        for (path, bytes, content_type) in files::ome_zarr() {
            self.asset(&pyramid, &format!("image.ome.zarr/{path}"), (content_type, bytes))?;
        }
        Ok(())
    }

    /// A file, a folder of fifty pages in five folders, and a file whose name is taken meanwhile. The counters are
    /// populated in between: what goes into the trash is taken off them.
    async fn trash(&mut self) -> io::Result<()> {
        let note = |n| ("text/markdown", files::note(n).into_bytes());
        let file = self.file("trashed_file", None, "protocol.md", note(0)).await?;
        let replaced = self.file("trashed_with_taken_name", None, "README.md", note(1)).await?;
        let notebook = self.collection("trashed_folder", None, "notebook").await?;
        for week in 1..=5 {
            let folder = self.collection("", Some(&notebook), &format!("week {week}")).await?;
            for page in 1..=10 {
                let name = format!("page {page:02}.md");
                self.file("", Some(&folder), &name, note(week * 10 + page)).await?;
            }
        }
        self.workspace.populate().await.map_err(io::Error::other)?;
        for package in [&file, &replaced, &notebook] {
            self.workspace.trash(package).await.map_err(io::Error::other)?;
        }
        self.hide_deleted().await?;
        self.file("live_with_taken_name", None, "README.md", note(2)).await?;
        self.workspace.populate().await.map_err(io::Error::other)
    }

    /// Puts delete markers on the files of what is in the trash.
    async fn hide_deleted(&self) -> io::Result<()> {
        let workspace = self.workspace.id;
        let sql = format!(
            r#"SELECT f.s3_key FROM "{workspace}".files f JOIN "{workspace}".packages p ON p.id = f.package_id
               WHERE p.state = 'DELETED'"#
        );
        for row in self.workspace.client.query(&sql, &[]).await.map_err(io::Error::other)? {
            self.store.delete_marker(STORAGE_BUCKET, row.get(0))?;
        }
        Ok(())
    }

    async fn collection(&mut self, name: &str, parent: Option<&Package>, title: &str) -> io::Result<Package> {
        self.add(name, NewPackage::collection(parent.map(|parent| parent.id), title)).await
    }

    async fn file(
        &mut self,
        name: &str,
        parent: Option<&Package>,
        title: &str,
        (content_type, bytes): (&str, Vec<u8>),
    ) -> io::Result<Package> {
        let upload = Uuid::new_v4();
        let key = format!("O{}/D{}/{}/{upload}", self.workspace.id, self.dataset.id, Uuid::new_v4());
        let size = i64::try_from(bytes.len()).map_err(io::Error::other)?;
        self.store.put(STORAGE_BUCKET, &key, bytes, content_type)?;
        self.add(name, NewPackage::file(parent.map(|parent| parent.id), title, (STORAGE_BUCKET, &key, size)))
            .await
    }

    async fn add(&mut self, name: &str, new: NewPackage) -> io::Result<Package> {
        let made = self.workspace.packages(self.dataset, &[new]).await.map_err(io::Error::other)?;
        let package = made.into_iter().next().ok_or_else(|| io::Error::other("no package was made"))?;
        if !name.is_empty() {
            self.named.insert(name.to_owned(), package.node_id.to_string());
        }
        Ok(package)
    }

    fn asset(&self, package: &Package, path: &str, (content_type, bytes): (&str, Vec<u8>)) -> io::Result<()> {
        let path = AssetPath::parse(path).map_err(io::Error::other)?;
        let key = path.object_key(self.workspace.id, self.dataset.id, package.id);
        self.store.put(VIEWER_ASSETS_BUCKET, &key, bytes, content_type).map(drop)
    }
}
