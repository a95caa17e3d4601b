//! The authorizer's context, in exactly the shape that API Gateway hands on (`requestContext.authorizer.lambda`).

use std::fmt;

use serde_json::{Value, json};

use super::DatasetRole;
use crate::id::{DatasetId, DatasetNodeId, UserNodeId, WorkspaceId};

/// What the authorizer said about one request: who asks, in which workspace, with which role in which dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Who asks.
    pub user: UserClaim,
    /// The tenant.
    pub workspace: WorkspaceClaim,
    /// The dataset that the request named.
    pub dataset: DatasetClaim,
    /// The person's teams in the workspace. This service decides nothing by them.
    pub teams: Vec<TeamClaim>,
}

/// `user_claim`.
#[derive(Debug, Clone, PartialEq)]
pub struct UserClaim {
    /// Primary key.
    pub id: i64,
    /// Public id.
    pub node_id: UserNodeId,
    /// The platform's own staff. It opens nothing here.
    pub is_super_admin: bool,
}

/// `org_claim`.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspaceClaim {
    /// Primary key, which names the schema.
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
    /// The role, on the wire its ordinal (0 to 5).
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

/// A context that lacks a field which is needed, or has one of another type. Fails closed: such a caller is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidClaims(&'static str);

impl fmt::Display for InvalidClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the authorizer's context has no usable {}", self.0)
    }
}

impl std::error::Error for InvalidClaims {}

impl Claims {
    /// Reads the context. Integers may come as `3` or as `3.0`; teams may be absent or null.
    pub fn from_context(context: &Value) -> Result<Self, InvalidClaims> {
        Ok(Self {
            user: user(context).ok_or(InvalidClaims("user_claim"))?,
            workspace: workspace(context).ok_or(InvalidClaims("org_claim"))?,
            dataset: dataset(context).ok_or(InvalidClaims("dataset_claim"))?,
            teams: teams(context).ok_or(InvalidClaims("team_claims"))?,
        })
    }

    /// Writes the context that [`Claims::from_context`] reads.
    #[must_use]
    pub fn to_context(&self) -> Value {
        let team = |team: &TeamClaim| {
            json!({
                "IntId": team.id, "Name": team.name, "NodeId": team.node_id,
                "Permission": team.permission, "TeamType": team.team_type,
            })
        };
        let teams = match self.teams.as_slice() {
            [] => Value::Null,
            teams => teams.iter().map(team).collect(),
        };
        json!({
            "user_claim": {
                "Id": self.user.id, "NodeId": self.user.node_id, "IsSuperAdmin": self.user.is_super_admin,
            },
            "org_claim": {
                "Role": self.workspace.role, "IntId": self.workspace.id, "NodeId": self.workspace.node_id,
                "EnabledFeatures": null,
            },
            "dataset_claim": {
                "Role": self.dataset.role as u8, "NodeId": self.dataset.node_id, "IntId": self.dataset.id,
            },
            "team_claims": teams,
        })
    }
}

fn user(context: &Value) -> Option<UserClaim> {
    let claim = context.get("user_claim")?;
    Some(UserClaim {
        id: integer(claim.get("Id")?)?,
        node_id: UserNodeId::parse(claim.get("NodeId")?.as_str()?).ok()?,
        is_super_admin: claim.get("IsSuperAdmin").and_then(Value::as_bool).unwrap_or(false),
    })
}

fn workspace(context: &Value) -> Option<WorkspaceClaim> {
    let claim = context.get("org_claim")?;
    Some(WorkspaceClaim {
        id: WorkspaceId(number(claim.get("IntId")?)?),
        node_id: claim.get("NodeId").and_then(Value::as_str).unwrap_or_default().to_owned(),
        role: claim.get("Role").and_then(integer).unwrap_or(0),
    })
}

fn dataset(context: &Value) -> Option<DatasetClaim> {
    let claim = context.get("dataset_claim")?;
    Some(DatasetClaim {
        id: DatasetId(number(claim.get("IntId")?)?),
        node_id: DatasetNodeId::parse(claim.get("NodeId")?.as_str()?).ok()?,
        role: DatasetRole::from_number(integer(claim.get("Role")?)?)?,
    })
}

fn teams(context: &Value) -> Option<Vec<TeamClaim>> {
    match context.get("team_claims") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(teams)) => teams.iter().map(team).collect(),
        Some(_) => None,
    }
}

fn team(claim: &Value) -> Option<TeamClaim> {
    let text = |field| claim.get(field).and_then(Value::as_str).map(str::to_owned);
    Some(TeamClaim {
        id: integer(claim.get("IntId")?)?,
        name: text("Name")?,
        node_id: text("NodeId")?,
        permission: integer(claim.get("Permission")?)?,
        team_type: text("TeamType")?,
    })
}

/// An integer, also one that was written as a float with nothing behind the point.
fn integer(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked first; the fraction is zero")]
    let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

/// A primary key: positive, and no larger than the column.
fn number(value: &Value) -> Option<i32> {
    integer(value).and_then(|number| i32::try_from(number).ok()).filter(|number| *number > 0)
}

/// Claims for this module's and its parent's tests.
#[cfg(test)]
pub(super) fn example() -> Claims {
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
        assert_eq!(example().to_context(), context);
        assert_eq!(Claims::from_context(&context).unwrap(), example());
    }

    #[test]
    fn integers_may_be_written_as_floats() {
        let mut context = example().to_context();
        context["dataset_claim"]["Role"] = json!(3.0);
        context["dataset_claim"]["IntId"] = json!(41.0);
        assert_eq!(Claims::from_context(&context).unwrap(), example());
        context["dataset_claim"]["IntId"] = json!(41.5);
        assert!(Claims::from_context(&context).is_err());
    }

    #[test]
    fn teams_travel_along() {
        let mut claims = example();
        claims.teams.push(TeamClaim {
            id: 3,
            name: "Publishers".into(),
            node_id: "N:team:3".into(),
            permission: 16,
            team_type: "publishers".into(),
        });
        assert_eq!(Claims::from_context(&claims.to_context()).unwrap(), claims);
    }

    #[test]
    fn a_missing_or_ill_typed_claim_is_refused_whole() {
        for claim in ["user_claim", "org_claim", "dataset_claim"] {
            for value in [Value::Null, json!("x"), json!(1), json!([]), json!({}), json!({"IntId": "1"})] {
                let mut context = example().to_context();
                context[claim] = value;
                assert!(Claims::from_context(&context).is_err(), "{claim}: {}", context[claim]);
            }
        }
        for role in [json!(6), json!(-1), json!("3"), json!(null), json!(2.5)] {
            let mut context = example().to_context();
            context["dataset_claim"]["Role"] = role;
            assert!(Claims::from_context(&context).is_err());
        }
        for id in [json!(0), json!(-2), json!(4_294_967_296_i64), json!(1e300)] {
            let mut context = example().to_context();
            context["org_claim"]["IntId"] = id;
            assert!(Claims::from_context(&context).is_err());
        }
        assert!(Claims::from_context(&Value::Null).is_err());
        assert!(Claims::from_context(&json!({"team_claims": 3})).is_err());
    }
}
