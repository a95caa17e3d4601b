//! How many bytes are in a package: how the platform's counters change when packages come back.
//!
//! A recount sums the source files of live packages; a folder has the sum of what is live beneath it. The counters are kept
//! equal to a recount.

use std::collections::HashMap;

use packages::id::PackageId;

/// A package in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsageNode {
    /// The package.
    pub(crate) id: PackageId,
    /// The folder it is in; `None` at the dataset's top.
    pub(crate) parent: Option<PackageId>,
    /// The bytes of its own source files.
    pub(crate) bytes: i64,
}

/// How counters change. Both lists are in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UsageChange {
    /// What each restored package holds from now on, what is beneath it included.
    pub(crate) restored: Vec<(PackageId, i64)>,
    /// What each live folder above gains.
    pub(crate) ancestors: Vec<(PackageId, i64)>,
    /// What the dataset and the workspace gain.
    pub(crate) total: i64,
}

/// Computes how counters change when these packages come back. The other nodes were live before and are connected to them:
/// the folders above (`ancestors`), and what is beneath (`descendants`) and could not be seen from above. A folder may be
/// in both.
#[must_use]
pub(crate) fn compute_usage_change(
    restored: &[UsageNode],
    descendants: &[UsageNode],
    ancestors: &[UsageNode],
) -> UsageChange {
    let before = sum_subtrees(ancestors.iter().chain(descendants));
    let after = sum_subtrees(ancestors.iter().chain(descendants).chain(restored));
    let sum =
        |sums: &HashMap<PackageId, i64>, node: &UsageNode| sums.get(&node.id).copied().unwrap_or_default();
    let mut change = UsageChange {
        restored: restored.iter().map(|node| (node.id, sum(&after, node))).collect(),
        ancestors: ancestors
            .iter()
            .map(|node| (node.id, sum(&after, node) - sum(&before, node)))
            .filter(|(_, bytes)| *bytes != 0)
            .collect(),
        total: restored.iter().map(|node| node.bytes).sum(),
    };
    change.restored.sort_unstable();
    change.ancestors.sort_unstable();
    change
}

/// The bytes in each package and beneath it. Of two nodes with the same id the later one counts.
fn sum_subtrees<'a>(nodes: impl Iterator<Item = &'a UsageNode>) -> HashMap<PackageId, i64> {
    let nodes: HashMap<PackageId, &UsageNode> = nodes.map(|node| (node.id, node)).collect();
    let parent = |id: PackageId| nodes.get(&id)?.parent.filter(|parent| nodes.contains_key(parent));
    let mut open_children: HashMap<PackageId, usize> = HashMap::new();
    for parent in nodes.keys().filter_map(|id| parent(*id)) {
        *open_children.entry(parent).or_default() += 1;
    }
    let mut sums: HashMap<PackageId, i64> = nodes.iter().map(|(id, node)| (*id, node.bytes)).collect();
    // From the leaves upwards: a package is done when all of its children are.
    let mut done: Vec<PackageId> =
        nodes.keys().copied().filter(|id| !open_children.contains_key(id)).collect();
    while let Some(id) = done.pop() {
        let (Some(parent), Some(sum)) = (parent(id), sums.get(&id).copied()) else { continue };
        *sums.entry(parent).or_default() += sum;
        let Some(children) = open_children.get_mut(&parent) else { continue };
        *children -= 1;
        if *children == 0 {
            done.push(parent);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(id: i32, parent: Option<i32>, bytes: i64) -> UsageNode {
        UsageNode { id: PackageId(id), parent: parent.map(PackageId), bytes }
    }

    fn counters(pairs: &[(i32, i64)]) -> Vec<(PackageId, i64)> {
        pairs.iter().map(|(id, bytes)| (PackageId(*id), *bytes)).collect()
    }

    #[test]
    fn a_file_counts_for_itself_and_for_each_folder_above() {
        let restored = [node(3, Some(2), 5), node(4, Some(2), 7)];
        let change = compute_usage_change(&restored, &[], &[node(2, Some(1), 0), node(1, None, 0)]);
        assert_eq!(change.restored, counters(&[(3, 5), (4, 7)]));
        assert_eq!(change.ancestors, counters(&[(1, 12), (2, 12)]));
        assert_eq!(change.total, 12);
    }

    #[test]
    fn what_was_live_beneath_counts_for_the_folders_and_not_for_the_dataset() {
        // 1 live > 2 restored > 3 live already > 4 restored
        let restored = [node(2, Some(1), 0), node(4, Some(3), 10)];
        let change = compute_usage_change(&restored, &[node(3, Some(2), 100)], &[node(1, None, 0)]);
        assert_eq!(change.restored, counters(&[(2, 110), (4, 10)]));
        assert_eq!(change.ancestors, counters(&[(1, 110)]));
        assert_eq!(change.total, 10);
    }

    #[test]
    fn a_live_folder_between_two_that_come_back_gains_only_what_comes_back_beneath_it() {
        // 2 restored > 3 live already, with a live file 5 > 4 restored
        let restored = [node(2, None, 0), node(4, Some(3), 10)];
        let descendants = [node(3, Some(2), 0), node(5, Some(3), 100)];
        let change = compute_usage_change(&restored, &descendants, &[node(3, Some(2), 0)]);
        assert_eq!(change.restored, counters(&[(2, 110), (4, 10)]));
        assert_eq!(change.ancestors, counters(&[(3, 10)]));
    }

    #[test]
    fn nothing_gains_nothing() {
        assert_eq!(compute_usage_change(&[], &[], &[node(1, None, 0)]), UsageChange::default());
    }

    proptest! {
        #[test]
        fn each_package_holds_what_lies_beneath_it(shape in prop::collection::vec((any::<u16>(), 0i64..1000), 1..60)) {
            let nodes: Vec<UsageNode> = shape.iter().enumerate().map(|(at, (parent, bytes))| {
                let parent = (at > 0).then(|| i32::from(*parent) % i32::try_from(at).unwrap());
                node(i32::try_from(at).unwrap(), parent, *bytes)
            }).collect();
            let change = compute_usage_change(&nodes, &[], &[]);
            for (id, bytes) in &change.restored {
                let is_beneath = |node: &&UsageNode| {
                    std::iter::successors(Some(node.id), |id| nodes[usize::try_from(id.0).unwrap()].parent)
                        .any(|ancestor| ancestor == *id)
                };
                prop_assert_eq!(*bytes, nodes.iter().filter(is_beneath).map(|node| node.bytes).sum::<i64>());
            }
            prop_assert_eq!(change.total, nodes.iter().map(|node| node.bytes).sum::<i64>());
        }
    }
}
