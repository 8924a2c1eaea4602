//! What is genuine in a damaged store, got out where there is no good copy.

use super::Ehr;
use super::Options;
use crate::audit::{Event, EventKind};
use crate::error::{Code, Result};
use crate::keys::KeySource;
use crate::limits::CallLimits;
use crate::store::salvage::{to_ndjson_file, to_store_file};
use crate::store::{Lines, Salvaged};
use std::path::Path as File;

/// How a salvage goes.
#[derive(Clone, Debug)]
pub struct SalvageOptions<'a> {
    /// Who salvages: kept in the audit log of a new store.
    pub actor: &'a str,
    /// Time, memory, and who may stop it.
    pub limits: CallLimits,
}

/// Where to what is salvaged goes: a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SalvageInto<'a> {
    /// A store, under the same keys and of the same number.
    Store(&'a File),
    /// NDJSON in clear.
    Ndjson(&'a File, Lines),
}

impl Ehr {
    /// Gets out of a damaged store everything that is genuine still, with a list of what is missing by numbers of patients and rows. The
    /// damaged file stays as it is. With a good copy at hand, [`Ehr::repair`] loses nothing: take that.
    ///
    /// A record is given as current only where it can be shown that no later version of it is lost; else it is *hidden*: not among the
    /// current lines of NDJSON, and retracted in a new store, where who may can look at it and restore it. What was retracted, deleted,
    /// held, destroyed or shredded stays so. A new store has an audit event of the salvage in the name of `actor`, after what is left of the
    /// log; where the log cannot be continued it is left out, and a new one begins.
    ///
    /// # Durability
    /// When this returns, the new file is on the disk. When it fails, there is none.
    ///
    /// # Privacy
    /// NDJSON is in clear, and it is for whoever has the key of the store: no policy is asked.
    ///
    /// # Errors
    /// - `map-damaged`: what says where the pages are is damaged itself, and without a copy nothing can be had; `store-exists`; `not-a-store`,
    ///   `wrong-key` and others of the key source; `locked`, `cancelled`, `deadline`, `io`.
    pub fn salvage(
        damaged: &File,
        into: SalvageInto<'_>,
        how: &SalvageOptions<'_>,
        keys: &dyn KeySource,
        options: &Options,
    ) -> Result<Salvaged> {
        let watch = how.limits.begin(&options.clock);
        let into = match into {
            SalvageInto::Ndjson(into, lines) => return to_ndjson_file(damaged, keys, lines, into, &watch),
            SalvageInto::Store(into) => into,
        };
        let at = options.clock.now();
        let report = to_store_file(damaged, keys, into, options.random.clone(), at, &watch)?;
        let noted = (|| {
            let ehr = Ehr::open(into, keys, options.clone())?;
            let event = || {
                let mut event = Event::new(EventKind::Repair, ehr.0.now(), how.actor);
                event.count = report.written;
                event.reason = "salvage".to_owned();
                event
            };
            match ehr.0.note_now(event()) {
                Err(error) if matches!(error.code(), Code::AuditUnavailable | Code::AuditBroken) => {}
                done => return done,
            }
            ehr.0.lock().clear();
            ehr.0.store.forget_audit(at)?;
            *ehr.0.head.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Default::default();
            ehr.0.note_now(event())
        })();
        if let Err(error) = noted {
            let _ = std::fs::remove_file(into);
            return Err(error);
        }
        Ok(report)
    }
}
