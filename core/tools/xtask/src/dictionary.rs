//! `cargo xtask dictionary`: trains the compression dictionary on made-up charts, never on patients.

use crate::{Done, root};
use ehrcore_synthetic::Charts;

const SIZE: usize = 48 * 1024;

pub(crate) fn run() -> Done {
    let mut samples: Vec<Vec<u8>> = Vec::new();
    for seed in 1..=3 {
        for chart in Charts::new(seed).patients(40) {
            for resource in chart.resources.iter().skip(2).step_by(3) {
                samples.push(resource.json.clone().into_bytes());
                if samples.len().is_multiple_of(4) {
                    // Many systems keep their records indented; the same words with that white space.
                    samples.push(indented(&resource.json));
                }
            }
        }
    }
    let dictionary = zstd::dict::from_samples(&samples, SIZE)?;
    std::fs::write(root().join("core/src/vault/dictionary.bin"), &dictionary)?;
    println!("dictionary: {} bytes from {} samples", dictionary.len(), samples.len());
    Ok(())
}

/// JSON text with line breaks and four spaces a level.
fn indented(json: &str) -> Vec<u8> {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    };
    for c in json.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            out.push(c);
            continue;
        }
        match c {
            '{' | '[' => {
                depth += 1;
                out.push(c);
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    out.into_bytes()
}
