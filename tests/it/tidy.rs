//! The repository keeps its own rules: arrows point one way, and modules say what they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Our crates, from the bottom up: each may depend on those before it.
const CRATES: [&str; 5] = ["scim", "access", "store", "actors", "slackwater"];
/// Libraries that only one crate may name.
const KEPT_IN: [(&str, &str); 3] =
    [("ractor", "actors"), ("redb", "store"), ("axum", "slackwater")];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let place = CRATES.iter().position(|known| *known == name).expect("a known crate");
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            if let Some(below) = CRATES.iter().position(|known| *known == on) {
                assert!(below < place, "{name} depends on {on}");
            }
            if let Some((_, owner)) = KEPT_IN.iter().find(|(library, _)| *library == on) {
                assert_eq!(name, *owner, "only {owner} may depend on {on}");
            }
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "scim", "access", "store", "actors", "tests", "benches"] {
        rust_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 50, "the sources are where they are looked for");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with //!", file.display());
        let lines = text.lines().count();
        if lines > 500 {
            eprintln!("{}: {lines} lines", file.display());
        }
    }
}

#[test]
fn no_route_is_served_without_a_description() {
    // `routes!` takes a route from its description; `.route` takes any.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["src/admin.rs", "src/server.rs"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let described = text.lines().filter(|line| line.contains(".routes(routes!(")).count();
        let others = text.lines().filter(|line| line.trim().starts_with(".route(")).count();
        assert!(described > 0 && others == 0, "{file} serves a route that is not described");
    }
}
