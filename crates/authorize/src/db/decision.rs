//! One statement that decides who a caller is, which workspace a dataset belongs to, and which role the caller has in it.

use packages::{
    access::{Claims, DatasetClaim, DatasetRole, UserClaim, WorkspaceClaim},
    db::PrefetchedPackage,
    id::{DatasetNodeId, PackageNodeId, UserNodeId, WorkspaceId},
};
use tokio_postgres::{Row, types::Type};

use super::{
    identity::{CallerQuery, Identity},
    is_unreadable, read_workspace,
    roles::{ROLES_COLUMNS, RolesQuery, RolesRow, TeamList},
};
use crate::denial::{Denial, DenialReason};
use database::{Db, Error, Param};

/// What is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The caller.
    pub identity: &'a Identity,
    /// The dataset.
    pub dataset: &'a DatasetNodeId,
    /// A package of the dataset that the caller asks for, to look it up with the same statement.
    pub package: Option<&'a PackageNodeId>,
    /// Whether the claims list the caller's teams.
    pub teams: TeamList,
}

/// Whether a caller has access to a dataset.
#[derive(Debug)]
pub struct Decision {
    /// The caller's claims, or why there are none.
    pub result: Result<Claims, Denial>,
    /// Where the dataset is; `None` if that is not known.
    pub place: Option<DatasetPlace>,
    /// The requested package, if the place was known before.
    pub package: Option<PrefetchedPackage>,
}

/// The workspace of a dataset, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetPlace {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Whether the platform has its table of the workspaces of datasets, `pennsieve.dataset_organization`.
    pub has_table: bool,
}

/// Decides on a caller's access to a dataset. One statement.
///
/// The workspace is the dataset's own, if the platform has a table of them (contract §12.2). Otherwise it is the one that a
/// person last chose, or that an API key was created in, and the dataset has to be there.
///
/// With a `place` from an earlier decision the statement names the workspace's schema, so that Postgres may keep its plan. It
/// compares the place, too: if the dataset is in another one now, a second statement decides.
pub async fn decide_access(
    db: &Db,
    request: AccessRequest<'_>,
    place: Option<DatasetPlace>,
) -> Result<Decision, Error> {
    if place.is_some() {
        match query_access(db, request, place).await {
            Ok(decision) if decision.place == place => return Ok(decision),
            Err(error) if !is_unreadable(&error) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    query_access(db, request, None).await
}

async fn query_access(
    db: &Db,
    request: AccessRequest<'_>,
    place: Option<DatasetPlace>,
) -> Result<Decision, Error> {
    let caller = request.identity.query();
    // Only with the place is the schema known in which the package is.
    let package = place.zip(request.package);
    let (dataset_id, package_id) = (request.dataset.as_str(), package.map(|(_, package)| package.as_str()));
    let mut params: Vec<Param<'_>> = vec![(&*caller.key.0, caller.key.1.clone()), (&dataset_id, Type::TEXT)];
    if let Some((id, sql_type)) = &caller.workspace_node_id {
        params.push((&**id, sql_type.clone()));
    }
    let mut lookup = PackageSql::default();
    if let Some((DatasetPlace { workspace, .. }, _)) = package {
        params.push((&package_id, Type::TEXT));
        lookup = PackageSql::new(workspace, params.len());
    }
    let rows = db.query_prepared(&decision_sql(&caller, place, request.teams, &lookup), &params).await?;
    // An id that is not unique identifies nobody.
    let [row] = rows.as_slice() else { return Ok(Decision::deny(DenialReason::UnknownCaller.into())) };
    let record = AccessRecord::read(row)?;
    let package = package.map(|(_, package)| record.read_package(row, package)).transpose()?.flatten();
    Ok(Decision { place: record.place(), package, result: record.decide(request.dataset) })
}

/// What a package adds to the text of a decision.
#[derive(Default)]
struct PackageSql {
    columns: &'static str,
    join: String,
}

impl PackageSql {
    /// The package whose node id is the parameter with this number.
    fn new(workspace: WorkspaceId, parameter: usize) -> Self {
        let query = PrefetchedPackage::to_sql(workspace, "roles.dataset_id", &format!("${parameter}"));
        Self { columns: ", package.*", join: format!("LEFT JOIN LATERAL ({query}) package ON true") }
    }
}

fn decision_sql(
    caller: &CallerQuery,
    place: Option<DatasetPlace>,
    teams: TeamList,
    package: &PackageSql,
) -> String {
    let CallerQuery { tables, condition, only_workspace, default_workspace, .. } = caller;
    let (located, roles) = (located_sql(default_workspace, place), roles_sql(place, teams));
    let PackageSql { columns, join } = package;
    format!(
        "SELECT u.id AS user_id, u.node_id AS user_node_id, coalesce(u.is_super_admin, false) AS is_super_admin,
                {only_workspace} AS only_workspace,
                o.id AS workspace_id, o.node_id AS workspace_node_id,
                m.user_id IS NOT NULL AS is_member, coalesce(m.permission_bit, 0) AS workspace_role,
                located.has_table, roles.*{columns}
         FROM {tables}
         -- The workspace of the dataset.
         CROSS JOIN LATERAL ({located}) located
         LEFT JOIN pennsieve.organizations o ON o.id = located.workspace
         LEFT JOIN pennsieve.organization_user m ON m.organization_id = o.id AND m.user_id = u.id
         -- The dataset, with the caller's roles in it.
         LEFT JOIN LATERAL ({roles}) roles ON true
         {join}
         WHERE {condition}"
    )
}

/// Selects the workspace of the dataset, and whether the platform has a table of them.
fn located_sql(default_workspace: &str, place: Option<DatasetPlace>) -> String {
    const TABLE: &str = "pennsieve.dataset_organization";
    match place.map(|place| place.has_table) {
        Some(true) => format!(
            "SELECT true AS has_table,
                    (SELECT organization_id FROM {TABLE} WHERE dataset_node_id = $2) AS workspace"
        ),
        Some(false) => format!("SELECT false AS has_table, {default_workspace} AS workspace"),
        // `query_to_xml` runs a statement whose text is data: it may name a table that is not there.
        None => format!(
            "SELECT to_regclass('{TABLE}') IS NOT NULL AS has_table,
                    CASE WHEN to_regclass('{TABLE}') IS NULL THEN {default_workspace}
                         ELSE ((xpath('/table/row/organization_id/text()', query_to_xml(
                             format('SELECT organization_id FROM {TABLE} WHERE dataset_node_id = %L', $2),
                             false, false, '')))[1])::text::int
                    END AS workspace"
        ),
    }
}

/// Selects a [`RolesRow`], for a member only.
fn roles_sql(place: Option<DatasetPlace>, teams: TeamList) -> String {
    if let Some(DatasetPlace { workspace, .. }) = place {
        let (schema, number) = (format!(r#""{workspace}""#), workspace.to_string());
        let condition = format!("d.node_id = $2 AND m.organization_id = {number} ORDER BY d.id LIMIT 1");
        return RolesQuery {
            schema: &schema,
            workspace: &number,
            user: "u.id",
            condition: &condition,
            teams,
        }
        .to_sql();
    }
    let query = RolesQuery {
        schema: "%1$I",
        workspace: "%1$s",
        user: "%2$s",
        condition: "d.node_id = %3$L ORDER BY d.id LIMIT 1",
        teams,
    };
    // The schema is named by a value of this row. Base64, because JSON may have characters that XML has not. For no member
    // the text is null, and nothing runs.
    format!(
        "SELECT found.* FROM jsonb_to_record(convert_from(decode((xpath('/table/row/roles/text()', query_to_xml(
                    format(CASE WHEN m.user_id IS NOT NULL THEN
                        $roles$SELECT encode(convert_to(to_jsonb(found)::text, 'UTF8'), 'base64') AS roles
                               FROM ({}) found$roles$ END, o.id, u.id, $2),
                    false, false, '')))[1]::text, 'base64'), 'UTF8')::jsonb) AS found ({ROLES_COLUMNS})",
        query.to_sql()
    )
}

/// What the statement found.
struct AccessRecord {
    user_id: i64,
    user: Option<UserNodeId>,
    is_super_admin: bool,
    only_workspace: Option<WorkspaceId>,
    /// Whether the platform has its table of the workspaces of datasets.
    has_table: bool,
    workspace: Option<WorkspaceClaim>,
    is_member: bool,
    roles: Option<RolesRow>,
}

impl AccessRecord {
    fn read(row: &Row) -> Result<Self, Error> {
        let user: Option<&str> = row.try_get("user_node_id")?;
        let only_workspace: Option<i32> = row.try_get("only_workspace")?;
        Ok(Self {
            user_id: row.try_get::<_, i32>("user_id")?.into(),
            user: user.and_then(|id| UserNodeId::parse(id).ok()),
            is_super_admin: row.try_get("is_super_admin")?,
            only_workspace: only_workspace.map(WorkspaceId),
            has_table: row.try_get("has_table")?,
            workspace: read_workspace(row)?,
            is_member: row.try_get("is_member")?,
            roles: RolesRow::read(row)?,
        })
    }

    fn place(&self) -> Option<DatasetPlace> {
        let workspace = self.workspace.as_ref()?.id;
        Some(DatasetPlace { workspace, has_table: self.has_table })
    }

    /// The package that the statement looked up. `None`: there is no dataset.
    fn read_package(&self, row: &Row, package: &PackageNodeId) -> Result<Option<PrefetchedPackage>, Error> {
        let place = self.workspace.as_ref().zip(self.roles.as_ref());
        let read = |(workspace, roles): (&WorkspaceClaim, &RolesRow)| {
            PrefetchedPackage::read(row, workspace.id, roles.dataset(), package)
        };
        place.map(read).transpose()
    }

    /// The claims, or why there are none. What is missing first is the reason.
    fn decide(self, dataset: &DatasetNodeId) -> Result<Claims, Denial> {
        let (workspace_id, user) = (self.workspace.as_ref().map(|workspace| workspace.id), self.user.clone());
        let deny = |reason| Denial { reason, user: user.clone(), workspace: workspace_id };
        let user = self.user.ok_or_else(|| deny(DenialReason::UnknownCaller))?;
        // Without the platform's table it is the caller's workspace that is not known.
        let no_workspace =
            if self.has_table { DenialReason::UnknownDataset } else { DenialReason::NotMember };
        let workspace = self.workspace.ok_or_else(|| deny(no_workspace))?;
        if self.only_workspace.is_some_and(|only| only != workspace.id) {
            return Err(deny(DenialReason::OtherWorkspace));
        }
        if !self.is_member {
            return Err(deny(DenialReason::NotMember));
        }
        let roles = self.roles.ok_or_else(|| deny(DenialReason::UnknownDataset))?;
        let (id, role) = (roles.dataset(), roles.highest_role());
        if role == DatasetRole::None {
            return Err(deny(DenialReason::NoRole));
        }
        Ok(Claims {
            user: UserClaim { id: self.user_id, node_id: user, is_super_admin: self.is_super_admin },
            workspace,
            dataset: DatasetClaim { id, node_id: dataset.clone(), role },
            teams: roles.into_teams(),
        })
    }
}

impl Decision {
    /// A refusal for which no statement was needed, or found nothing.
    pub(crate) fn deny(denial: Denial) -> Self {
        Self { result: Err(denial), place: None, package: None }
    }
}
