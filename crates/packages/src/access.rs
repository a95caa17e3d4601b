//! Authority: what the authorizer said, and the proof that a caller may do a thing in one dataset.
//!
//! [`Claims`] come from outside. They become a [`DatasetAccess`] only through [`DatasetAccess::check`], and every
//! function that reads or changes a dataset takes that proof as an argument.

mod claims;

use std::{fmt, marker::PhantomData};

pub use claims::{Claims, DatasetClaim, InvalidClaims, TeamClaim, UserClaim, WorkspaceClaim};

use crate::id::{DatasetId, DatasetNodeId, UserNodeId, WorkspaceId};

/// A person's role in a dataset; each includes what the smaller ones may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DatasetRole {
    /// No role.
    None = 0,
    /// Knows of the dataset, sees nothing in it.
    Guest = 1,
    /// Reads.
    Viewer = 2,
    /// Changes files.
    Editor = 3,
    /// Manages the dataset.
    Manager = 4,
    /// Owns it.
    Owner = 5,
}

impl DatasetRole {
    /// From the number in the authorizer's context.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Guest,
            2 => Self::Viewer,
            3 => Self::Editor,
            4 => Self::Manager,
            5 => Self::Owner,
            _ => return None,
        })
    }

    /// From the text in a role column, in any case. A text that is no role gives none.
    #[must_use]
    pub fn from_column(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "guest" => Self::Guest,
            "viewer" => Self::Viewer,
            "editor" => Self::Editor,
            "manager" => Self::Manager,
            "owner" => Self::Owner,
            _ => Self::None,
        }
    }
}

/// What an endpoint asks of its caller, at the type level.
pub trait Permission {
    /// The smallest role that carries the permission.
    const LEAST: DatasetRole;
    /// Its name, as messages and the audit log say it.
    const NAME: &'static str;
}

/// To read files: viewers and up.
#[derive(Debug, Clone, Copy)]
pub enum ViewFiles {}

impl Permission for ViewFiles {
    const LEAST: DatasetRole = DatasetRole::Viewer;
    const NAME: &'static str = "ViewFiles";
}

/// To delete files and to bring them back: editors and up.
#[derive(Debug, Clone, Copy)]
pub enum CreateDeleteFiles {}

impl Permission for CreateDeleteFiles {
    const LEAST: DatasetRole = DatasetRole::Editor;
    const NAME: &'static str = "CreateDeleteFiles";
}

/// Why claims do not open a dataset. Neither says whether the other dataset exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessError {
    /// The claims are for another dataset than the request's.
    OtherDataset,
    /// The role lacks the permission with this name.
    Role(&'static str),
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDataset => f.write_str("you have no access to this dataset"),
            Self::Role(permission) => {
                write!(f, "your role in this dataset lacks the permission {permission}")
            }
        }
    }
}

impl std::error::Error for AccessError {}

/// Proof that somebody has permission `P` in one dataset. Made by [`DatasetAccess::check`] and in no other way.
#[derive(Debug, Clone)]
pub struct DatasetAccess<P> {
    workspace: WorkspaceId,
    dataset: DatasetId,
    dataset_node_id: DatasetNodeId,
    user: UserNodeId,
    permission: PhantomData<P>,
}

impl<P: Permission> DatasetAccess<P> {
    /// Compares the claims with the dataset that the request names, and the role with the permission.
    pub fn check(claims: &Claims, asked: &DatasetNodeId) -> Result<Self, AccessError> {
        if claims.dataset.node_id != *asked {
            return Err(AccessError::OtherDataset);
        }
        if claims.dataset.role < P::LEAST {
            return Err(AccessError::Role(P::NAME));
        }
        Ok(Self {
            workspace: claims.workspace.id,
            dataset: claims.dataset.id,
            dataset_node_id: claims.dataset.node_id.clone(),
            user: claims.user.node_id.clone(),
            permission: PhantomData,
        })
    }
}

impl<P> DatasetAccess<P> {
    /// The tenant that the dataset belongs to.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The dataset, by its number.
    #[must_use]
    pub fn dataset(&self) -> DatasetId {
        self.dataset
    }

    /// The dataset, by its public id.
    #[must_use]
    pub fn dataset_node_id(&self) -> &DatasetNodeId {
        &self.dataset_node_id
    }

    /// Who asks.
    #[must_use]
    pub fn user(&self) -> &UserNodeId {
        &self.user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(role: DatasetRole) -> Claims {
        let mut claims = claims::example();
        claims.dataset.role = role;
        claims
    }

    #[test]
    fn a_role_carries_its_permissions_and_no_more() {
        use DatasetRole::*;
        for (role, views, restores) in [
            (None, false, false),
            (Guest, false, false),
            (Viewer, true, false),
            (Editor, true, true),
            (Manager, true, true),
            (Owner, true, true),
        ] {
            let claims = claims(role);
            let asked = claims.dataset.node_id.clone();
            assert_eq!(DatasetAccess::<ViewFiles>::check(&claims, &asked).is_ok(), views, "{role:?}");
            assert_eq!(
                DatasetAccess::<CreateDeleteFiles>::check(&claims, &asked).is_ok(),
                restores,
                "{role:?}"
            );
        }
    }

    #[test]
    fn claims_for_one_dataset_never_open_another() {
        let claims = claims(DatasetRole::Owner);
        let other = DatasetNodeId::parse("N:dataset:other").unwrap();
        let refusal = DatasetAccess::<ViewFiles>::check(&claims, &other).unwrap_err();
        assert_eq!(refusal, AccessError::OtherDataset);
    }

    #[test]
    fn role_columns_are_read_in_any_case_and_fail_closed() {
        assert_eq!(DatasetRole::from_column("OWNER"), DatasetRole::Owner);
        assert_eq!(DatasetRole::from_column("viewer"), DatasetRole::Viewer);
        assert_eq!(DatasetRole::from_column("superuser"), DatasetRole::None);
        assert_eq!(DatasetRole::from_number(6), Option::None);
    }
}
