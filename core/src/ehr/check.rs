//! Looking at everything a store holds.

use super::{Path, Session};
use crate::audit::Head;
use crate::error::{Code, Result};
use crate::store::{CheckReport, DamageKind, Steps, Table};

impl Session {
    /// Looks at all of the store: every slot of the file against its seal, the audit log against its head (and against `outside`, one kept
    /// elsewhere), every block, key and chain of versions, every index against what the records themselves say, ledger and quarantine.
    /// What is damaged is in the report, as numbers of places; nothing of a record is. `steps` is told how many patients of how many are
    /// done and says whether to go on.
    ///
    /// What was destroyed and could not be taken out of the file yet is tried again first; where that fails, the report says `unfinished`.
    ///
    /// What is written to the store takes free slots; to look at those as they were found, see [`super::Ehr::condition`].
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`, `cancelled`, `deadline`, `store-io`.
    pub fn check(&self, outside: Option<&Head>, steps: &mut Steps<'_>) -> Result<CheckReport> {
        let mut pass = self.enter_for_all(Path::Check)?;
        pass.flush()?;
        let _ = pass.store().finish(pass.now()); // where it fails again, the report says so
        let checked = (|| {
            let snapshot = pass.ungated_snapshot()?;
            let mut report = snapshot.check(pass.watch(), steps)?;
            match pass.verify_audit(&snapshot, outside) {
                Ok(events) => report.events = events,
                Err(error) if error.code() == Code::StoreIo => return Err(error),
                Err(_) => report.note(DamageKind::Audit, None, 0),
            }
            let mut found = Vec::new();
            let walked =
                crate::exchange::check::check(pass.store(), &snapshot, &mut |what, row| found.push((what, row)));
            found.into_iter().for_each(|(what, row)| report.note(what, None, row));
            match walked {
                Err(error) if error.code() == Code::StoreIo => return Err(error),
                Err(_) => report.note(DamageKind::Table, None, Table::Ledger as u64),
                Ok(()) => {}
            }
            Ok(report)
        })();
        pass.event.count = checked.as_ref().map_or(0, |report| report.found);
        pass.show(checked)
    }
}
