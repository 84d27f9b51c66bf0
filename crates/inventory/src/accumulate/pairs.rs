//! Maps whose keys are bytes, in JSON as lists of pairs: the names of a JSON object must be text.

use model::RelPath;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;

pub(super) fn serialize<V: Serialize, S: Serializer>(map: &HashMap<Vec<u8>, V>, out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(map.iter().map(|(key, value)| (RelPath::from(&key[..]), value)))
}

pub(super) fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<HashMap<Vec<u8>, V>, D::Error> {
    let pairs = Vec::<(RelPath, V)>::deserialize(from)?;
    Ok(pairs.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
}
