//! Which crate may use which, and what the engine drags in.

use super::{Finding, Tree, rooms};
use crate::shell;
use serde_json::Value;

/// The engine's default tree stays this small.
const ENGINE_TREE: usize = 25;

/// The arrows between crates, as cargo itself reads the manifests.
pub(crate) fn arrows(tree: &Tree, out: &mut Vec<Finding>) {
    match shell::cargo_output(
        &tree.root,
        &["metadata", "--no-deps", "--offline", "--format-version", "1"],
    ) {
        Ok(text) => match serde_json::from_str(&text) {
            Ok(metadata) => check_arrows(&metadata, out),
            Err(e) => out.push(Finding::new(
                "arrows",
                "Cargo.toml",
                1,
                format!("cargo metadata is not JSON: {e}"),
            )),
        },
        Err(e) => out.push(Finding::new(
            "arrows",
            "Cargo.toml",
            1,
            format!("cargo cannot read the manifests: {e}"),
        )),
    }
}

fn check_arrows(metadata: &Value, out: &mut Vec<Finding>) {
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().unwrap_or(&empty).clone();
    for package in list(&metadata["packages"]) {
        let name = package["name"].as_str().unwrap_or("?");
        let Some((folder, _, allowed)) = rooms::ARROWS.iter().find(|(_, n, _)| *n == name) else {
            let what = format!("`{name}` has no row in the table of arrows");
            out.push(Finding::new("arrows", "Cargo.toml", 1, what));
            continue;
        };
        let manifest = format!("{folder}/Cargo.toml");
        for dependency in list(&package["dependencies"]) {
            let used = dependency["name"].as_str().unwrap_or("?");
            let ours = rooms::ARROWS.iter().any(|(_, n, _)| *n == used);
            // A crate may be its own dev-dependency, to turn a feature on for its tests.
            let itself = used == name && dependency["kind"] == "dev";
            if ours && !itself && !allowed.contains(&used) {
                out.push(Finding::new(
                    "arrows",
                    &manifest,
                    1,
                    format!("`{name}` may not use `{used}`"),
                ));
            }
            let optional = dependency["optional"].as_bool().unwrap_or(false);
            if rooms::C_DEPENDENCIES.contains(&used) && !optional {
                out.push(Finding::new(
                    "arrows",
                    &manifest,
                    1,
                    format!("`{used}` compiles C and must be optional"),
                ));
            }
        }
    }
}

/// The size of the engine's default tree, and that it is pure Rust.
pub(crate) fn engine_tree(tree: &Tree, out: &mut Vec<Finding>) {
    let args =
        ["tree", "--package", "annvil", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    match shell::cargo_output(&tree.root, &args) {
        Ok(text) => check_engine_tree(&text, out),
        Err(e) => out.push(Finding::new(
            "engine-tree",
            "engine/Cargo.toml",
            1,
            format!("cargo tree failed: {e}"),
        )),
    }
}

fn check_engine_tree(text: &str, out: &mut Vec<Finding>) {
    let names: std::collections::BTreeSet<&str> =
        text.lines().filter_map(|l| l.split(' ').next()).collect();
    if names.len() > ENGINE_TREE {
        let what =
            format!("{} crates in the engine's default tree, at most {ENGINE_TREE}", names.len());
        out.push(Finding::new("engine-tree", "engine/Cargo.toml", 1, what));
    }
    for name in rooms::C_DEPENDENCIES.iter().filter(|n| names.contains(*n)) {
        let what = format!("`{name}` compiles C and is on the engine's path");
        out.push(Finding::new("engine-tree", "engine/Cargo.toml", 1, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(name: &str, used: &str, kind: Value, optional: bool) -> usize {
        let dependency = json!({"name": used, "kind": kind, "optional": optional});
        let mut out = Vec::new();
        check_arrows(
            &json!({"packages": [{"name": name, "dependencies": [dependency]}]}),
            &mut out,
        );
        out.len()
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_found() {
        assert_eq!(found("annvil-kernels", "annvil", Value::Null, false), 1);
        assert_eq!(
            found("annvil", "annvil-reports", Value::Null, true),
            1,
            "an option is an arrow too"
        );
        assert_eq!(
            found("annvil", "annvil-harness", json!("dev"), false),
            1,
            "and so is a dev-dependency"
        );
        assert_eq!(found("stranger", "serde", Value::Null, false), 1);
        assert_eq!(found("annvil", "annvil-kernels", Value::Null, false), 0);
        assert_eq!(found("annvil-kernels", "annvil-kernels", json!("dev"), false), 0);
    }

    #[test]
    fn c_stays_an_option_and_off_the_engine() {
        assert_eq!(found("annvil-kernels", "simsimd", Value::Null, false), 1);
        assert_eq!(found("annvil-kernels", "simsimd", Value::Null, true), 0);
        let mut out = Vec::new();
        check_engine_tree("annvil v0.1.0\nsimsimd v6.5.0\n", &mut out);
        assert_eq!(out.len(), 1);
    }

    #[test]
    fn a_large_engine_tree_is_found() {
        let tree: String = (0..=ENGINE_TREE).map(|i| format!("crate-{i} v1.0.0\n")).collect();
        let mut out = Vec::new();
        check_engine_tree(&tree, &mut out);
        assert_eq!(out.len(), 1);
    }
}
