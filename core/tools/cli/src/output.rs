//! How results look.

use ehrcore::report::Issue;
use ehrcore::store::Stored;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// A finding on one line.
pub(crate) fn issue(issue: &Issue) -> String {
    let Issue { severity, code, path, line, column, message, .. } = issue;
    format!("{line}:{column} {} {} {path}: {message}", severity.name(), code.name())
}

/// A finding as JSON.
pub(crate) fn issue_json(issue: &Issue) -> Value {
    json!({
        "severity": issue.severity.name(), "code": issue.code.name(), "path": issue.path, "line": issue.line,
        "column": issue.column, "message": issue.message, "profile": issue.profile.as_deref(), "rule": issue.rule.as_deref(),
    })
}

/// What is known about a version, without its content.
pub(crate) fn version_json(stored: &Stored) -> Value {
    json!({
        "kind": stored.kind().name(), "id": stored.id(), "version": stored.version(), "at": stored.at().to_rfc3339(),
        "actor": stored.actor(), "deleted": stored.is_deleted(),
    })
}

/// The same on one line.
pub(crate) fn version_line(stored: &Stored) -> String {
    let deleted = if stored.is_deleted() { "  deleted" } else { "" };
    let (kind, id, version) = (stored.kind(), stored.id(), stored.version());
    format!("{kind}/{id}  version {version}  {}  {}{deleted}", stored.at().to_rfc3339(), stored.actor())
}

/// A progress bar over bytes; silent where standard error is no terminal.
pub(crate) fn bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
