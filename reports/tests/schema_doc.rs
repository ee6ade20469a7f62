//! `SCHEMA.md` names every field that a record can have.

use std::collections::BTreeSet;

use serde_json::Value;

#[path = "../examples/sample/fixture.rs"]
mod fixture;

fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                into.insert(key.clone());
                keys(value, into);
            }
        }
        Value::Array(list) => list.iter().for_each(|v| keys(v, into)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let doc = include_str!("../SCHEMA.md");
    let run = fixture::sample();
    let mut fields = BTreeSet::new();
    keys(&serde_json::to_value(&run).unwrap(), &mut fields);
    let packed: Value = serde_json::from_str(&run.to_packed_json().unwrap()).unwrap();
    keys(&packed, &mut fields);
    assert!(fields.len() > 90, "the sample lacks fields: {}", fields.len());
    let missing: Vec<_> = fields.iter().filter(|f| !doc.contains(&format!("`{f}`"))).collect();
    assert!(missing.is_empty(), "SCHEMA.md does not name {missing:?}");
}
