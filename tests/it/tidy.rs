//! The house rules that a compiler does not know: arrows between modules, heads, sizes, names, engines.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Which modules a module may use. A new arrow is a decision: say why in the commit that adds it.
const ARROWS: [(&str, &[&str]); 14] = [
    ("ground", &[]),
    ("domain", &["ground"]),
    ("engine", &["domain", "ground"]),
    ("catalog", &["engine", "domain", "ground"]),
    // The GeoPackage container: what the workspace and the exchange format have in common.
    ("gpkg", &["domain", "ground"]),
    ("store", &["gpkg", "domain", "ground"]),
    // People's own file beside the workspace: not a GeoPackage, and never opened through the planner.
    ("people", &["domain", "ground"]),
    // Signing in elsewhere: it says whom an issuer vouches for and knows nothing of people, nor of HTTP served.
    ("oidc", &[]),
    ("formats", &["gpkg", "domain", "ground"]),
    ("seeds", &["formats", "domain", "ground"]),
    ("planner", &["catalog", "engine", "store", "formats", "seeds", "domain", "ground"]),
    ("api", &["planner", "people", "oidc", "catalog", "engine", "domain", "ground", "config"]),
    ("cli", &["planner", "people", "catalog", "engine", "domain", "ground", "config"]),
    ("config", &[]),
];

/// Arrows of single files.
const FILE_ARROWS: [(&str, &[&str]); 2] = [("src/cli/serve.rs", &["api", "oidc"]), ("src/main.rs", &["cli"])];

/// Where a third-party engine may be named.
const ENGINES: [(&str, &[&str]); 16] = [
    ("proj::", &["src/ground/crs"]),
    ("rstar", &["src/engine/index.rs"]),
    ("BooleanOps", &["src/engine/overlay"]),
    ("quick_cache", &["src/api/tile_cache.rs"]),
    // People's file is no GeoPackage: what `gpkg` knows of containers would not help it.
    ("rusqlite", &["src/gpkg/", "src/store/", "src/formats/geopackage.rs", "src/people/"]),
    ("argon2", &["src/people/secret.rs"]),
    ("tokio_rustls", &["src/api/tls.rs", "src/oidc/client.rs"]),
    ("use ring::", &["src/oidc/"]),
    ("rustls_native_certs", &["src/oidc/client.rs"]),
    ("geopackage_core", &["src/gpkg/"]),
    ("axum", &["src/api/"]),
    ("clap", &["src/cli/"]),
    ("::shapefile::", &["src/formats/shapefile"]),
    ("::flatgeobuf::", &["src/formats/flatgeobuf"]),
    ("::geojson::", &["src/formats/geojson"]),
    ("rust_embed", &["src/api/embed.rs"]),
];

/// Files over the budget of 600 lines, with the reason. The list shrinks.
const LONG_FILES: [(&str, &str); 0] = [];

/// Names that say nothing about the domain.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "helpers", "common_utils", "misc", "manager", "service", "model"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, as paths relative to the root with their text.
fn rust_files(below: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the tree is readable") {
            let path = entry.expect("the tree is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
                found.insert(name, fs::read_to_string(&path).expect("source is UTF-8"));
            }
        }
    }
    assert!(!found.is_empty(), "no Rust files below {below}");
    found
}

/// The module of the top level that a file belongs to.
fn module_of(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    inside.split(['/', '.']).next().unwrap_or(inside)
}

/// The top-level modules that a file uses: `crate::x`, and the braced list after `crate::{`.
fn used_modules(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            used.extend(top_names(list));
        } else {
            used.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    used
}

/// The first names of each item of a braced list of imports.
fn top_names(list: &str) -> Vec<String> {
    let (mut depth, mut names, mut item) = (0, Vec::new(), String::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut item)),
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    names.push(item);
    let first = |item: &String| item.trim().split("::").next().unwrap_or_default().to_owned();
    names.iter().map(first).filter(|name| !name.is_empty()).collect()
}

#[test]
fn modules_use_only_what_their_rank_allows() {
    let mut broken = Vec::new();
    for (file, text) in rust_files("src") {
        if file == "src/lib.rs" {
            continue;
        }
        let module = module_of(&file);
        let of_file = FILE_ARROWS.iter().find(|(name, _)| *name == file).map_or(&[][..], |(_, extra)| extra);
        let allowed = ARROWS.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, allowed)| allowed);
        assert!(
            module == "main" || ARROWS.iter().any(|(name, _)| *name == module),
            "{file}: module {module} has no rank: add it to ARROWS"
        );
        for used in used_modules(&text) {
            if used != module && !allowed.contains(&used.as_str()) && !of_file.contains(&used.as_str()) {
                broken.push(format!("{file} uses crate::{used}"));
            }
        }
    }
    assert!(broken.is_empty(), "arrows that are not allowed:\n{}", broken.join("\n"));
}

#[test]
fn each_engine_is_named_in_one_place() {
    let mut broken = Vec::new();
    for (file, text) in rust_files("src") {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for (engine, places) in ENGINES {
            let names_it = code.match_indices(engine).any(|(at, _)| {
                let before = code[..at].chars().next_back().unwrap_or(' ');
                !before.is_alphanumeric() && before != '_' && before != ':'
            });
            if names_it && !places.iter().any(|place| file.starts_with(place)) {
                broken.push(format!("{file} names {engine}, which belongs to {}", places.join(", ")));
            }
        }
    }
    assert!(broken.is_empty(), "engines outside their place:\n{}", broken.join("\n"));
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    let mut files = rust_files("src");
    files.extend(rust_files("tests"));
    files.extend(rust_files("geodata"));
    let headless: Vec<&String> =
        files.iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(file, _)| file).collect();
    assert!(headless.is_empty(), "files without a //! head: {headless:?}");
}

#[test]
fn no_file_outgrows_its_budget() {
    for (file, text) in rust_files("src") {
        let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        let excused = LONG_FILES.iter().any(|(name, _)| *name == file);
        assert!(lines <= 600 || excused, "{file} has {lines} lines before its tests: split it along the domain");
        assert!(lines > 600 || !excused, "{file} is within the budget again: take it off LONG_FILES");
    }
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    for file in rust_files("src").keys() {
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder_names = file.split('/').map(str::to_owned);
        for name in folder_names.chain([stem]) {
            assert!(!EMPTY_NAMES.contains(&name.as_str()), "{file}: {name} says nothing about the domain");
        }
    }
}

#[test]
fn the_source_has_no_open_ends() {
    for (file, text) in rust_files("src") {
        for (number, line) in text.lines().enumerate() {
            let at = format!("{file}:{}", number + 1);
            assert!(!line.contains("TODO") && !line.contains("FIXME"), "{at}: finish it or file an issue");
            assert!(!line.contains("#[allow("), "{at}: use #[expect(.., reason = ..)]");
        }
    }
}

/// Licences under which a dependency may be shipped inside the binary; `deny.toml` says the same to cargo-deny.
const LICENCES: [&str; 12] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "MPL-2.0",
    "Unicode-3.0",
    "BSL-1.0",
    "Unlicense",
    "0BSD",
];

/// Whether an SPDX expression leaves a choice that we can ship: one side of each `OR`, every side of each `AND`.
fn can_ship(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    // Without brackets `AND` binds closer; the expressions in use are flat or brackets around an `OR` list.
    if expression.contains('(') {
        return plain.split(" AND ").all(|side| side.split(" OR ").any(|name| LICENCES.contains(&name.trim())));
    }
    plain.split(" OR ").any(|side| side.split(" AND ").all(|name| LICENCES.contains(&name.trim())))
}

#[test]
fn every_dependency_has_a_licence_that_we_can_ship() {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = cargo.current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "cargo metadata lists only {} packages", packages.len());
    let name = |package: &serde_json::Value| format!("{} ({})", package["name"], package["license"]);
    let refused: Vec<String> =
        packages.iter().filter(|package| !package["license"].as_str().is_some_and(can_ship)).map(name).collect();
    assert!(refused.is_empty(), "{}", refused.join(", "));
}
