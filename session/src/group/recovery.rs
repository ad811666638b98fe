use std::collections::BTreeMap;

use everpool_engine::twophase::Xid;

/// What was found, by the names of the transactions. A branch that two handles of one server have found is
/// one.
pub(crate) fn by_name<P>(found: Vec<(P, Xid)>) -> Vec<Vec<(P, Xid)>> {
    let mut transactions: BTreeMap<String, Vec<(P, Xid)>> = BTreeMap::new();
    for (place, xid) in found {
        let branches = transactions.entry(xid.global().to_owned()).or_default();
        let is_known = branches.iter().any(|(_, known)| *known == xid);
        if xid.branch().is_none() || !is_known {
            branches.push((place, xid));
        }
    }
    transactions.into_values().collect()
}
