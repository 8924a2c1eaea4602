//! `cargo xtask layers`: reads every path into `crate::` in core/src and compares it with the table in ARCHITECTURE.md.

use crate::{Done, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) fn run() -> Done {
    let table = std::fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let (layers, sideways) = rules(&table)?;
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    let source = root().join("core/src");
    walk(&source, &source, &mut used)?;
    let mut broken = Vec::new();
    for (from, to) in used {
        let (Some(above), Some(below)) = (layers.get(&from), layers.get(&to)) else {
            broken.push(format!("{from} -> {to}: not in the table"));
            continue;
        };
        if above <= below
            && from != to
            && !(*above == 0 && *below == 0)
            && !sideways.contains(&(from.clone(), to.clone()))
        {
            broken.push(format!("{from} (layer {above}) uses {to} (layer {below})"));
        }
    }
    if broken.is_empty() {
        println!("layers: as the table says");
        return Ok(());
    }
    Err(broken.join("; ").into())
}

type Rules = (BTreeMap<String, u8>, BTreeSet<(String, String)>);

/// Rows `| 3 custody | `crypto`, ... |` and lines `sideways: a -> b, c; ...`.
fn rules(text: &str) -> Result<Rules, Box<dyn std::error::Error>> {
    let (mut layers, mut sideways) = (BTreeMap::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("| ") {
            let Some((number, rooms)) = rest.split_once('|') else { continue };
            let Ok(layer) = number.trim().split(' ').next().unwrap_or("").parse::<u8>() else { continue };
            for room in rooms.split('|').next().unwrap_or("").split('`').skip(1).step_by(2) {
                layers.insert(room.to_owned(), layer);
            }
        }
        if let Some(rest) = line.strip_prefix("sideways: ") {
            for edge in rest.trim_end_matches('.').split(';') {
                let (from, to) = edge.split_once("->").ok_or("a sideways edge has an arrow")?;
                for to in to.split(',') {
                    sideways.insert((from.trim().to_owned(), to.trim().to_owned()));
                }
            }
        }
    }
    if layers.is_empty() { Err("ARCHITECTURE.md has no table of layers".into()) } else { Ok((layers, sideways)) }
}

fn walk(top: &Path, folder: &Path, used: &mut BTreeSet<(String, String)>) -> Done {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(top, &path, used)?;
            continue;
        }
        let inside = path.strip_prefix(top)?.with_extension("");
        let room = inside.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        if room == "lib" || path.extension().is_none_or(|e| e != "rs") || inside.ends_with("tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or("");
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for part in line.split("crate::").skip(1) {
                let to: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !to.is_empty() {
                    used.insert((room.clone(), to));
                }
            }
        }
    }
    Ok(())
}
