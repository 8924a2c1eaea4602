//! `cargo xtask header [--check]`: writes include/ehrcore.h from the C ABI crate and the catalogue of codes.

use crate::{Done, root};
use ehrcore::error::Code;
use std::fmt::Write;

pub(crate) fn run(arguments: &[&str]) -> Done {
    let crate_folder = root().join("ffi");
    let mut config = cbindgen::Config::from_file(crate_folder.join("cbindgen.toml"))?;
    config.header = Some(HEAD.to_owned());
    config.after_includes = Some(codes());
    let mut text = Vec::new();
    cbindgen::Builder::new().with_crate(&crate_folder).with_config(config).generate()?.write(&mut text);
    let path = root().join("include/ehrcore.h");
    if arguments.contains(&"--check") {
        if std::fs::read(&path).ok().as_deref() != Some(&text[..]) {
            return Err("include/ehrcore.h is not what the code says; run cargo xtask header".into());
        }
        println!("header: as the code says");
        return Ok(());
    }
    std::fs::write(path, text)?;
    Ok(())
}

const HEAD: &str = "/* ehrcore: an embeddable EHR core. Written by `cargo xtask header`; do not edit.
 *
 * Conventions, for every function:
 *   Status comes back; results go through the last arguments and are untouched on an error.
 *   `error_out` may be NULL; otherwise, on an error, it receives details to be released with ehr_error_free().
 *   Text is UTF-8 with a length, not terminated. Text that is lent belongs to the handle it came from.
 *   A handle is released with its own ehr_*_free(); NULL is fine; a handle released twice is answered with
 *   EHR_HANDLE_CLOSED and does no harm.
 *   A struct that is filled begins with `size`. A function that takes its sizeof fills no more than that, and `size` says how much it
 *   filled: a later version may have more fields at the end. In all other structs the caller sets `size` to the sizeof.
 *   Every function may be called from any thread, at the same time as any other.
 *   No function prints, unwinds or ends the process. No error text holds record content.
 *   Since 0.1.0, unless a function says otherwise.
 */";

fn codes() -> String {
    let mut out = String::from(
        "\n#ifndef EHR_API\n#define EHR_API\n#endif\n\n#define EHR_ABI_VERSION 1\n\n/* What a status says. Numbers are never reused. */\nenum ehr_code {\n    EHR_OK = 0,\n",
    );
    for code in Code::ALL {
        let name = code.name().replace('-', "_").to_uppercase();
        let _ = writeln!(out, "    /* {} */\n    EHR_{name} = {},", code.sentence(), code.number());
    }
    out.push_str("};\n\nenum ehr_severity {\n    EHR_SEVERITY_FATAL = 1,\n    EHR_SEVERITY_ERROR = 2,\n    EHR_SEVERITY_WARNING = 3,\n    EHR_SEVERITY_INFORMATION = 4\n};\n\nenum ehr_verify_level {\n    EHR_VERIFY_LOG = 0,\n    EHR_VERIFY_RECORDS = 1\n};\n\nenum ehr_outcome {\n    EHR_OUTCOME_IN = 0,\n    EHR_OUTCOME_NOT_IN = 1,\n    EHR_OUTCOME_UNKNOWN = 2,\n    EHR_OUTCOME_NOT_CHECKED = 3\n};\n");
    out
}
