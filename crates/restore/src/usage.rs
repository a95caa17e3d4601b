//! How many bytes lie in a package: what the platform's counters gain when packages come back.
//!
//! A recount sums the source files of live packages; a folder has the sum of what is live beneath it. The counters are kept
//! equal to that.

use std::collections::HashMap;

use packages::id::PackageId;

/// A package in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    /// The package.
    pub(crate) id: PackageId,
    /// The folder it lies in; `None` at the dataset's top.
    pub(crate) parent: Option<PackageId>,
    /// The bytes of its own source files.
    pub(crate) bytes: i64,
}

/// What counters gain. Both lists are in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gained {
    /// What the packages that came back hold from now on, themselves and beneath them.
    pub(crate) own: Vec<(PackageId, i64)>,
    /// What the live folders above gain.
    pub(crate) above: Vec<(PackageId, i64)>,
    /// What the dataset and the workspace gain.
    pub(crate) total: i64,
}

/// Reckons what counters gain by these packages that come back. The rest was live before and is connected to them: the
/// folders `above`, and what lies `beneath` without having been seen from above. A folder may be both.
#[must_use]
pub(crate) fn reckon(restored: &[Node], beneath: &[Node], above: &[Node]) -> Gained {
    let before = sum_upwards(above.iter().chain(beneath));
    let after = sum_upwards(above.iter().chain(beneath).chain(restored));
    let sum = |sums: &HashMap<PackageId, i64>, node: &Node| sums.get(&node.id).copied().unwrap_or_default();
    let mut gained = Gained {
        own: restored.iter().map(|node| (node.id, sum(&after, node))).collect(),
        above: above.iter().map(|node| (node.id, sum(&after, node) - sum(&before, node))).collect(),
        total: restored.iter().map(|node| node.bytes).sum(),
    };
    gained.above.retain(|(_, bytes)| *bytes != 0);
    gained.own.sort_unstable();
    gained.above.sort_unstable();
    gained
}

/// The bytes in each package, itself and beneath it. Of two nodes with the same id the later one counts.
fn sum_upwards<'a>(nodes: impl Iterator<Item = &'a Node>) -> HashMap<PackageId, i64> {
    let nodes: HashMap<PackageId, &Node> = nodes.map(|node| (node.id, node)).collect();
    let parent = |id: PackageId| nodes.get(&id)?.parent.filter(|parent| nodes.contains_key(parent));
    let mut waiting_for: HashMap<PackageId, usize> = HashMap::new();
    for parent in nodes.keys().filter_map(|id| parent(*id)) {
        *waiting_for.entry(parent).or_default() += 1;
    }
    let mut sums: HashMap<PackageId, i64> = nodes.iter().map(|(id, node)| (*id, node.bytes)).collect();
    // From the leaves upwards: a package is done when all that lies in it is.
    let mut done: Vec<PackageId> = nodes.keys().copied().filter(|id| !waiting_for.contains_key(id)).collect();
    while let Some(id) = done.pop() {
        let (Some(parent), Some(sum)) = (parent(id), sums.get(&id).copied()) else { continue };
        *sums.entry(parent).or_default() += sum;
        let Some(children) = waiting_for.get_mut(&parent) else { continue };
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

    fn node(id: i32, parent: Option<i32>, bytes: i64) -> Node {
        Node { id: PackageId(id), parent: parent.map(PackageId), bytes }
    }

    fn counters(pairs: &[(i32, i64)]) -> Vec<(PackageId, i64)> {
        pairs.iter().map(|(id, bytes)| (PackageId(*id), *bytes)).collect()
    }

    #[test]
    fn a_file_counts_for_itself_and_for_each_folder_above() {
        let restored = [node(3, Some(2), 5), node(4, Some(2), 7)];
        let gained = reckon(&restored, &[], &[node(2, Some(1), 0), node(1, None, 0)]);
        assert_eq!(gained.own, counters(&[(3, 5), (4, 7)]));
        assert_eq!(gained.above, counters(&[(1, 12), (2, 12)]));
        assert_eq!(gained.total, 12);
    }

    #[test]
    fn what_was_live_beneath_counts_for_the_folders_and_not_for_the_dataset() {
        // 1 live > 2 restored > 3 live already > 4 restored
        let restored = [node(2, Some(1), 0), node(4, Some(3), 10)];
        let gained = reckon(&restored, &[node(3, Some(2), 100)], &[node(1, None, 0)]);
        assert_eq!(gained.own, counters(&[(2, 110), (4, 10)]));
        assert_eq!(gained.above, counters(&[(1, 110)]));
        assert_eq!(gained.total, 10);
    }

    #[test]
    fn a_live_folder_between_two_that_come_back_gains_only_what_comes_back_beneath_it() {
        // 2 restored > 3 live already, with a live file 5 > 4 restored
        let restored = [node(2, None, 0), node(4, Some(3), 10)];
        let beneath = [node(3, Some(2), 0), node(5, Some(3), 100)];
        let gained = reckon(&restored, &beneath, &[node(3, Some(2), 0)]);
        assert_eq!(gained.own, counters(&[(2, 110), (4, 10)]));
        assert_eq!(gained.above, counters(&[(3, 10)]));
    }

    #[test]
    fn nothing_gains_nothing() {
        assert_eq!(reckon(&[], &[], &[node(1, None, 0)]), Gained::default());
    }

    proptest! {
        #[test]
        fn each_package_holds_what_lies_beneath_it(shape in prop::collection::vec((any::<u16>(), 0i64..1000), 1..60)) {
            let nodes: Vec<Node> = shape.iter().enumerate().map(|(at, (parent, bytes))| {
                let parent = (at > 0).then(|| i32::from(*parent) % i32::try_from(at).unwrap());
                node(i32::try_from(at).unwrap(), parent, *bytes)
            }).collect();
            let gained = reckon(&nodes, &[], &[]);
            for (id, bytes) in &gained.own {
                let is_beneath = |node: &&Node| {
                    std::iter::successors(Some(node.id), |id| nodes[usize::try_from(id.0).unwrap()].parent)
                        .any(|above| above == *id)
                };
                prop_assert_eq!(*bytes, nodes.iter().filter(is_beneath).map(|node| node.bytes).sum::<i64>());
            }
            prop_assert_eq!(gained.total, nodes.iter().map(|node| node.bytes).sum::<i64>());
        }
    }
}
