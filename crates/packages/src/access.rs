//! Authority: the authorizer's claims, and the proof that a caller has a permission in one dataset.
//!
//! [`Claims`] come from outside. They become a [`DatasetAccess`] only through [`DatasetAccess::check`]. Every function
//! that reads or changes a dataset takes that proof as an argument.

mod claims;

use std::marker::PhantomData;

pub use claims::{Claims, DatasetClaim, InvalidClaims, Member, TeamClaim, UserClaim, WorkspaceClaim};

use crate::id::{DatasetId, DatasetNodeId, UserNodeId, WorkspaceId};

/// A person's role in a dataset. Each role includes the permissions of the roles before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DatasetRole {
    /// No role.
    None = 0,
    /// Knows that the dataset exists.
    Guest = 1,
    /// Reads files.
    Viewer = 2,
    /// Changes files.
    Editor = 3,
    /// Manages the dataset.
    Manager = 4,
    /// Owns the dataset.
    Owner = 5,
}

impl DatasetRole {
    /// Reads the number in the authorizer's context. `None` for a number that is no role.
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

    /// Reads a role column, in any case. An unknown text is [`Self::None`].
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

    /// The text of a role column.
    #[must_use]
    pub const fn as_column(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Guest => "guest",
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Manager => "manager",
            Self::Owner => "owner",
        }
    }
}

/// A permission that an endpoint requires, as a type.
pub trait Permission {
    /// The smallest role that has the permission.
    const MIN_ROLE: DatasetRole;
    /// The permission's name in messages and in the audit log.
    const NAME: &'static str;
}

/// To read files: viewers and up.
#[derive(Debug, Clone, Copy)]
pub enum ViewFiles {}

impl Permission for ViewFiles {
    const MIN_ROLE: DatasetRole = DatasetRole::Viewer;
    const NAME: &'static str = "ViewFiles";
}

/// To delete and to restore files: editors and up.
#[derive(Debug, Clone, Copy)]
pub enum CreateDeleteFiles {}

impl Permission for CreateDeleteFiles {
    const MIN_ROLE: DatasetRole = DatasetRole::Editor;
    const NAME: &'static str = "CreateDeleteFiles";
}

/// Why claims give no access to a dataset. No text says whether the requested dataset exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The claims are for another dataset than the request's.
    #[error("you have no access to this dataset")]
    OtherDataset,
    /// The role lacks the permission with this name.
    #[error("your role in this dataset lacks the permission {0}")]
    MissingPermission(&'static str),
}

/// Proof that a person has permission `P` in one dataset. Only [`DatasetAccess::check`] makes one.
#[derive(Debug, Clone)]
pub struct DatasetAccess<P> {
    workspace: WorkspaceId,
    dataset: DatasetId,
    dataset_node_id: DatasetNodeId,
    user: UserNodeId,
    permission: PhantomData<P>,
}

impl<P: Permission> DatasetAccess<P> {
    /// Compares the claims' dataset with the requested one, and the role with the permission.
    pub fn check(claims: &Claims, requested: &DatasetNodeId) -> Result<Self, AccessError> {
        if claims.dataset.node_id != *requested {
            return Err(AccessError::OtherDataset);
        }
        if claims.dataset.role < P::MIN_ROLE {
            return Err(AccessError::MissingPermission(P::NAME));
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
    /// The workspace of the dataset.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The dataset's primary key.
    #[must_use]
    pub fn dataset(&self) -> DatasetId {
        self.dataset
    }

    /// The dataset's public id.
    #[must_use]
    pub fn dataset_node_id(&self) -> &DatasetNodeId {
        &self.dataset_node_id
    }

    /// The caller's public id.
    #[must_use]
    pub fn user(&self) -> &UserNodeId {
        &self.user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(role: DatasetRole) -> Claims {
        let mut claims = claims::example_claims();
        claims.dataset.role = role;
        claims
    }

    /// The refusal of a role on its own dataset, if there is one.
    fn refusal<P: Permission>(role: DatasetRole) -> Option<AccessError> {
        let claims = claims(role);
        DatasetAccess::<P>::check(&claims, &claims.dataset.node_id).err()
    }

    #[test]
    fn a_role_has_its_permissions_and_no_more() {
        use DatasetRole::*;
        for (role, may_view, may_restore) in [
            (None, false, false),
            (Guest, false, false),
            (Viewer, true, false),
            (Editor, true, true),
            (Manager, true, true),
            (Owner, true, true),
        ] {
            assert_eq!(refusal::<ViewFiles>(role).is_none(), may_view, "{role:?}");
            assert_eq!(refusal::<CreateDeleteFiles>(role).is_none(), may_restore, "{role:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_permission() {
        let view = refusal::<ViewFiles>(DatasetRole::Guest).unwrap();
        assert_eq!(view.to_string(), "your role in this dataset lacks the permission ViewFiles");
        let restore = refusal::<CreateDeleteFiles>(DatasetRole::Viewer).unwrap();
        assert_eq!(restore, AccessError::MissingPermission("CreateDeleteFiles"));
    }

    #[test]
    fn claims_for_one_dataset_never_open_another() {
        let claims = claims(DatasetRole::Owner);
        let other = DatasetNodeId::parse("N:dataset:other").unwrap();
        let refusal = DatasetAccess::<ViewFiles>::check(&claims, &other).unwrap_err();
        assert_eq!(refusal, AccessError::OtherDataset);
    }

    #[test]
    fn the_proof_carries_the_ids_of_the_claims() {
        let claims = claims(DatasetRole::Viewer);
        let access = DatasetAccess::<ViewFiles>::check(&claims, &claims.dataset.node_id).unwrap();
        assert_eq!((access.workspace(), access.dataset()), (WorkspaceId(2), DatasetId(41)));
        assert_eq!(access.dataset_node_id().as_str(), "N:dataset:41");
        assert_eq!(access.user().as_str(), "N:user:7");
    }

    #[test]
    fn role_numbers_are_the_platforms() {
        use DatasetRole::*;
        for (number, role) in [(0, None), (1, Guest), (2, Viewer), (3, Editor), (4, Manager), (5, Owner)] {
            assert_eq!(DatasetRole::from_number(number), Some(role));
            assert_eq!(i64::from(role as u8), number);
        }
        for number in [-1, 6, 8, 256, i64::MAX, i64::MIN] {
            assert_eq!(DatasetRole::from_number(number), Option::None, "{number}");
        }
    }

    #[test]
    fn role_columns_are_read_in_any_case_and_fail_closed() {
        use DatasetRole::*;
        for (text, role) in [
            ("guest", Guest),
            ("viewer", Viewer),
            ("editor", Editor),
            ("manager", Manager),
            ("owner", Owner),
            ("OWNER", Owner),
            ("Manager", Manager),
            ("none", None),
            ("superuser", None),
            (" owner", None),
            ("", None),
        ] {
            assert_eq!(DatasetRole::from_column(text), role, "{text:?}");
        }
    }
}
