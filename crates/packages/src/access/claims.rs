//! The authorizer's context, in the shape in which API Gateway passes it on (`requestContext.authorizer.lambda`).

use serde_json::{Value, json};

use super::DatasetRole;
use crate::id::{DatasetId, DatasetNodeId, UserNodeId, WorkspaceId};

/// The authorizer's claims about one request: the caller, the workspace, the dataset and the caller's role in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// The caller.
    pub user: UserClaim,
    /// The tenant.
    pub workspace: WorkspaceClaim,
    /// The dataset that the request named.
    pub dataset: DatasetClaim,
    /// The caller's teams in the workspace. They grant nothing in this service.
    pub teams: Vec<TeamClaim>,
}

/// A person in a workspace, without a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The person.
    pub user: UserClaim,
    /// The tenant that they are active in and belong to.
    pub workspace: WorkspaceClaim,
    /// Whether they may act in any workspace that they belong to: a person may, an API key may not.
    pub any_workspace: bool,
}

impl Member {
    /// The person of these claims, for the dataset's workspace only.
    #[must_use]
    pub fn from_claims(claims: &Claims) -> Self {
        Self { user: claims.user.clone(), workspace: claims.workspace.clone(), any_workspace: false }
    }

    /// Reads the context, which may have a dataset too.
    pub fn from_context(context: &Value) -> Result<Self, InvalidClaims> {
        Ok(Self {
            user: parse_user(context).ok_or(InvalidClaims("user_claim"))?,
            workspace: parse_workspace(context).ok_or(InvalidClaims("org_claim"))?,
            // Another authorizer does not say.
            any_workspace: context.get("any_workspace") == Some(&Value::Bool(true)),
        })
    }

    /// Writes the context that [`Member::from_context`] reads.
    #[must_use]
    pub fn to_context(&self) -> Value {
        json!({
            "user_claim": user_to_json(&self.user),
            "org_claim": workspace_to_json(&self.workspace),
            "any_workspace": self.any_workspace,
        })
    }
}

/// `user_claim`.
#[derive(Debug, Clone, PartialEq)]
pub struct UserClaim {
    /// Primary key.
    pub id: i64,
    /// Public id.
    pub node_id: UserNodeId,
    /// Whether the caller is the platform's staff. It grants nothing in this service.
    pub is_super_admin: bool,
}

/// `org_claim`.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspaceClaim {
    /// Primary key. It names the schema.
    pub id: WorkspaceId,
    /// `N:organization:…`.
    pub node_id: String,
    /// A permission *bit* (0, 1, 2, 4, 8, 16, 32), unlike the dataset's role.
    pub role: i64,
}

/// `dataset_claim`.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetClaim {
    /// Primary key.
    pub id: DatasetId,
    /// Public id.
    pub node_id: DatasetNodeId,
    /// The role. The context has its number, 0 to 5.
    pub role: DatasetRole,
}

/// One of `team_claims`.
#[derive(Debug, Clone, PartialEq)]
pub struct TeamClaim {
    /// Primary key.
    pub id: i64,
    /// Display name.
    pub name: String,
    /// `N:team:…`.
    pub node_id: String,
    /// A permission bit.
    pub permission: i64,
    /// `publishers`, or `<none>`.
    pub team_type: String,
}

/// A context in which this claim is missing or malformed. It fails closed: the caller is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the authorizer's context has no valid {0}")]
pub struct InvalidClaims(&'static str);

impl Claims {
    /// Reads the context. Integers may come as `3` or as `3.0`. Teams may be absent or null.
    pub fn from_context(context: &Value) -> Result<Self, InvalidClaims> {
        Ok(Self {
            user: parse_user(context).ok_or(InvalidClaims("user_claim"))?,
            workspace: parse_workspace(context).ok_or(InvalidClaims("org_claim"))?,
            dataset: parse_dataset(context).ok_or(InvalidClaims("dataset_claim"))?,
            teams: parse_teams(context).ok_or(InvalidClaims("team_claims"))?,
        })
    }

    /// Writes the context that [`Claims::from_context`] reads.
    #[must_use]
    pub fn to_context(&self) -> Value {
        let to_json = |team: &TeamClaim| {
            json!({
                "IntId": team.id, "Name": team.name, "NodeId": team.node_id,
                "Permission": team.permission, "TeamType": team.team_type,
            })
        };
        let teams = match self.teams.as_slice() {
            [] => Value::Null,
            teams => teams.iter().map(to_json).collect(),
        };
        json!({
            "user_claim": user_to_json(&self.user),
            "org_claim": workspace_to_json(&self.workspace),
            "dataset_claim": {
                "Role": self.dataset.role as u8, "NodeId": self.dataset.node_id, "IntId": self.dataset.id,
            },
            "team_claims": teams,
        })
    }
}

fn user_to_json(user: &UserClaim) -> Value {
    json!({ "Id": user.id, "NodeId": user.node_id, "IsSuperAdmin": user.is_super_admin })
}

fn workspace_to_json(workspace: &WorkspaceClaim) -> Value {
    json!({
        "Role": workspace.role, "IntId": workspace.id, "NodeId": workspace.node_id, "EnabledFeatures": null,
    })
}

/// Floats below this are exact integers: they are below 2^53.
const MAX_EXACT_FLOAT: f64 = 9e15;

fn parse_user(context: &Value) -> Option<UserClaim> {
    let claim = context.get("user_claim")?;
    Some(UserClaim {
        id: parse_integer(claim.get("Id")?)?,
        node_id: UserNodeId::parse(claim.get("NodeId")?.as_str()?).ok()?,
        is_super_admin: claim.get("IsSuperAdmin").and_then(Value::as_bool).unwrap_or(false),
    })
}

fn parse_workspace(context: &Value) -> Option<WorkspaceClaim> {
    let claim = context.get("org_claim")?;
    Some(WorkspaceClaim {
        id: WorkspaceId(parse_key(claim.get("IntId")?)?),
        node_id: claim.get("NodeId").and_then(Value::as_str).unwrap_or_default().to_owned(),
        role: claim.get("Role").and_then(parse_integer).unwrap_or(0),
    })
}

fn parse_dataset(context: &Value) -> Option<DatasetClaim> {
    let claim = context.get("dataset_claim")?;
    Some(DatasetClaim {
        id: DatasetId(parse_key(claim.get("IntId")?)?),
        node_id: DatasetNodeId::parse(claim.get("NodeId")?.as_str()?).ok()?,
        role: DatasetRole::from_number(parse_integer(claim.get("Role")?)?)?,
    })
}

fn parse_teams(context: &Value) -> Option<Vec<TeamClaim>> {
    match context.get("team_claims") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(teams)) => teams.iter().map(parse_team).collect(),
        Some(_) => None,
    }
}

fn parse_team(claim: &Value) -> Option<TeamClaim> {
    let text = |field| claim.get(field).and_then(Value::as_str).map(str::to_owned);
    Some(TeamClaim {
        id: parse_integer(claim.get("IntId")?)?,
        name: text("Name")?,
        node_id: text("NodeId")?,
        permission: parse_integer(claim.get("Permission")?)?,
        team_type: text("TeamType")?,
    })
}

/// An integer. API Gateway may write it as a float, `3.0`.
fn parse_integer(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked first; the fraction is zero")]
    let whole = |float: f64| (float.fract() == 0.0 && float.abs() < MAX_EXACT_FLOAT).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

/// A primary key: positive, and not larger than the column.
fn parse_key(value: &Value) -> Option<i32> {
    parse_integer(value).and_then(|number| i32::try_from(number).ok()).filter(|number| *number > 0)
}

/// Claims for the tests of this module and its parent.
#[cfg(test)]
pub(super) fn example_claims() -> Claims {
    Claims {
        user: UserClaim { id: 7, node_id: UserNodeId::parse("N:user:7").unwrap(), is_super_admin: false },
        workspace: WorkspaceClaim { id: WorkspaceId(2), node_id: "N:organization:2".into(), role: 8 },
        dataset: DatasetClaim {
            id: DatasetId(41),
            node_id: DatasetNodeId::parse("N:dataset:41").unwrap(),
            role: DatasetRole::Editor,
        },
        teams: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_has_the_platforms_shape() {
        let context = json!({
            "user_claim": {"Id": 7, "NodeId": "N:user:7", "IsSuperAdmin": false},
            "org_claim": {"Role": 8, "IntId": 2, "NodeId": "N:organization:2", "EnabledFeatures": null},
            "dataset_claim": {"Role": 3, "NodeId": "N:dataset:41", "IntId": 41},
            "team_claims": null,
        });
        assert_eq!(example_claims().to_context(), context);
        assert_eq!(Claims::from_context(&context).unwrap(), example_claims());
    }

    /// Reads the example with another value in a claim's field.
    fn read_with(claim: &str, field: &str, value: Value) -> Result<Claims, InvalidClaims> {
        let mut context = example_claims().to_context();
        context[claim][field] = value;
        Claims::from_context(&context)
    }

    #[test]
    fn every_role_travels_through_the_context() {
        for number in 0..=5 {
            let mut claims = example_claims();
            claims.dataset.role = DatasetRole::from_number(number).unwrap();
            let context = claims.to_context();
            assert_eq!(context["dataset_claim"]["Role"], number);
            assert_eq!(Claims::from_context(&context).unwrap(), claims);
        }
    }

    #[test]
    fn integers_may_be_written_as_floats() {
        let mut context = example_claims().to_context();
        context["dataset_claim"]["Role"] = json!(3.0);
        context["dataset_claim"]["IntId"] = json!(41.0);
        assert_eq!(Claims::from_context(&context).unwrap(), example_claims());
        assert!(read_with("dataset_claim", "IntId", json!(41.5)).is_err());
        let user = |id| read_with("user_claim", "Id", id).map(|claims| claims.user.id);
        assert_eq!(user(json!(8_999_999_999_999_999.0)), Ok(8_999_999_999_999_999));
        assert_eq!(user(json!(-7.0)), Ok(-7));
        assert!(user(json!(9e15)).is_err() && user(json!(-9e15)).is_err());
    }

    #[test]
    fn primary_keys_are_positive_and_fit_their_column() {
        for (id, is_valid) in
            [(1, true), (0, false), (-1, false), (2_147_483_647, true), (2_147_483_648_i64, false)]
        {
            assert_eq!(read_with("org_claim", "IntId", json!(id)).is_ok(), is_valid, "{id}");
            assert_eq!(read_with("dataset_claim", "IntId", json!(id)).is_ok(), is_valid, "{id}");
        }
    }

    #[test]
    fn what_grants_nothing_may_be_absent() {
        let mut context = example_claims().to_context();
        context["user_claim"].as_object_mut().unwrap().remove("IsSuperAdmin");
        context["org_claim"] = json!({"IntId": 2});
        let claims = Claims::from_context(&context).unwrap();
        assert!(!claims.user.is_super_admin);
        assert_eq!((claims.workspace.node_id.as_str(), claims.workspace.role), ("", 0));
        let staff = read_with("user_claim", "IsSuperAdmin", json!(true)).unwrap();
        assert!(staff.user.is_super_admin);
    }

    #[test]
    fn teams_travel_through_the_context() {
        let mut claims = example_claims();
        claims.teams.push(TeamClaim {
            id: 3,
            name: "Publishers".into(),
            node_id: "N:team:3".into(),
            permission: 16,
            team_type: "publishers".into(),
        });
        let context = claims.to_context();
        assert_eq!(Claims::from_context(&context).unwrap(), claims);
        for field in ["IntId", "Name", "NodeId", "Permission", "TeamType"] {
            let mut context = context.clone();
            context["team_claims"][0].as_object_mut().unwrap().remove(field);
            assert_eq!(Claims::from_context(&context), Err(InvalidClaims("team_claims")), "{field}");
        }
    }

    #[test]
    fn teams_are_a_list_or_absent() {
        for (teams, is_valid) in
            [(Value::Null, true), (json!([]), true), (json!({}), false), (json!(3), false)]
        {
            let mut context = example_claims().to_context();
            context["team_claims"] = teams;
            assert_eq!(Claims::from_context(&context).is_ok(), is_valid, "{}", context["team_claims"]);
        }
        let mut context = example_claims().to_context();
        context.as_object_mut().unwrap().remove("team_claims");
        assert_eq!(Claims::from_context(&context).unwrap(), example_claims());
    }

    #[test]
    fn a_missing_or_ill_typed_claim_is_refused_by_name() {
        for claim in ["user_claim", "org_claim", "dataset_claim"] {
            for value in [Value::Null, json!("x"), json!(1), json!([]), json!({}), json!({"IntId": "1"})] {
                let mut context = example_claims().to_context();
                context[claim] = value;
                let error = Claims::from_context(&context).unwrap_err();
                assert_eq!(error.to_string(), format!("the authorizer's context has no valid {claim}"));
            }
        }
        for role in [json!(6), json!(-1), json!("3"), json!(null), json!(2.5)] {
            assert!(read_with("dataset_claim", "Role", role).is_err());
        }
        for id in [json!("2"), json!(4_294_967_296_i64), json!(1e300)] {
            assert!(read_with("org_claim", "IntId", id).is_err());
        }
        assert!(read_with("user_claim", "NodeId", json!("N:dataset:7")).is_err());
        assert!(read_with("dataset_claim", "NodeId", json!("41")).is_err());
        assert!(Claims::from_context(&Value::Null).is_err());
    }
}
