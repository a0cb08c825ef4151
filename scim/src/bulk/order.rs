//! The order in which the operations of a bulk request can run.

use std::collections::{BTreeSet, HashMap};

use super::{BulkOperation, Method, reference, references};

/// An order of operations, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Those that can run, each after what it refers to, otherwise as sent.
    pub sequence: Vec<usize>,
    /// Those that refer to each other in a circle, or to one that does, as sent.
    pub cyclic: Vec<usize>,
}

/// Puts every operation after the POSTs whose `bulkId` it refers to. A reference to no `bulkId` of
/// this request orders nothing; resolving it will fail.
pub fn order(operations: &[BulkOperation]) -> Order {
    let mut makers = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        if let (Method::Post, Some(bulk_id)) = (operation.method, &operation.bulk_id) {
            makers.entry(bulk_id.as_str()).or_insert(index);
        }
    }
    let mut missing = Vec::with_capacity(operations.len());
    let mut dependents: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut ready = BTreeSet::new();
    for (index, operation) in operations.iter().enumerate() {
        let needs = needs(operation, &makers);
        if needs.is_empty() {
            ready.insert(index);
        }
        missing.push(needs.len());
        for need in needs {
            dependents.entry(need).or_default().push(index);
        }
    }
    let mut sequence = Vec::with_capacity(operations.len());
    while let Some(index) = ready.pop_first() {
        sequence.push(index);
        for dependent in dependents.remove(&index).unwrap_or_default() {
            if let Some(missing) = missing.get_mut(dependent) {
                *missing -= 1;
                if *missing == 0 {
                    ready.insert(dependent);
                }
            }
        }
    }
    let ran: BTreeSet<usize> = sequence.iter().copied().collect();
    let cyclic = (0..operations.len()).filter(|index| !ran.contains(index)).collect();
    Order { sequence, cyclic }
}

/// The operations that this one refers to.
fn needs(operation: &BulkOperation, makers: &HashMap<&str, usize>) -> BTreeSet<usize> {
    let mut names = operation.data.as_ref().map(references).unwrap_or_default();
    if let Ok(path) = &operation.path
        && let Some(bulk_id) = path.id.as_deref().and_then(reference)
    {
        names.push(bulk_id.to_owned());
    }
    names.iter().filter_map(|name| makers.get(name.as_str()).copied()).collect()
}
