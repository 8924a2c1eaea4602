//! What a patient asks for: that an entry be amended (45 CFR 164.526), that they get what is kept about them (164.524). With the
//! terms of the rule on the injected clock, the denial with its ground, the statement of disagreement and the rebuttal.

use super::Reason;
use crate::crypto::{Active, Provider};
use crate::ehr::{Draft, Gate, Pass, Path, Session, checked};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::phi::Phi;
use crate::schema::ResourceType;
use crate::store::{AsideKey, AsideKind, ChangeKind, PutMeta, Reader, Writer};
use crate::time::Timestamp;

const DAY: i64 = 86_400_000_000;

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$of:meta])* $variant:ident = $name:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$of])* $variant),* }
        impl $type {
            /// Every one.
            pub const ALL: &'static [$type] = &[$($type::$variant),*];
            /// The name.
            pub const fn name(self) -> &'static str { match self { $($type::$variant => $name),* } }
            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> { match name { $($name => Some($type::$variant),)* _ => None } }
            fn write(self, out: &mut Writer) { out.number(self as u64); }
            fn read(reader: &mut Reader<'_>) -> Result<Self> {
                Self::ALL.get(reader.small::<usize>()?).copied().ok_or_else(|| Code::Corrupt.error())
            }
        }
    };
}

words! {
    /// What is asked for.
    RequestKind {
        /// That an entry be amended: 60 days.
        Amendment = "amendment";
        /// All that is kept about the patient: 30 days.
        Access = "access";
    }
}

words! {
    /// How far a request is.
    RequestState {
        /// Nothing was decided yet.
        Open = "open";
        /// It was accepted.
        Accepted = "accepted";
        /// It was denied.
        Denied = "denied";
        /// What was asked for was given.
        Fulfilled = "fulfilled";
    }
}

words! {
    /// On which ground an amendment is denied: 45 CFR 164.526(a)(2)(i) to (iv). There is no other.
    Denial {
        /// It was not created here, and who created it can still be asked.
        NotCreatedHere = "not-created-here";
        /// It is not part of the record set that decisions are made on.
        NotInRecordSet = "not-in-record-set";
        /// The patient has no right to inspect it.
        NotOpenToInspection = "not-open-to-inspection";
        /// It is accurate and complete.
        AccurateAndComplete = "accurate-and-complete";
    }
}

/// Words that somebody added to a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    /// The words.
    pub text: Phi<String>,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A request of a patient.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub number: u64,
    /// What is asked for.
    pub kind: RequestKind,
    /// The patient.
    pub patient: PatientNumber,
    /// The patient's logical id.
    pub patient_id: String,
    /// The entry it is about; None: no single one.
    pub record: Option<(ResourceType, String)>,
    /// The version that was current; 0 for no single entry.
    pub version: u32,
    /// What the patient says.
    pub asked: Statement,
    /// When the term ends.
    pub due: Timestamp,
    /// Why the term was extended, once.
    pub extension: Option<Statement>,
    /// How far it is.
    pub state: RequestState,
    /// The ground of a denial.
    pub denial: Option<Denial>,
    /// What was decided, in words.
    pub decision: Option<Statement>,
    /// The version the entry was amended with.
    pub amended: u32,
    /// The patient's statement of disagreement.
    pub disagreement: Option<Statement>,
    /// The answer to it.
    pub rebuttal: Option<Statement>,
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Statement(..)")
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({}, {}, {})", self.number, self.kind.name(), self.state.name())
    }
}

impl Request {
    /// Whether its term is over and nothing was decided.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == RequestState::Open && now > self.due
    }
    /// Whether it goes along with what it is about, whenever that is disclosed: 45 CFR 164.526(d)(5).
    pub fn travels(&self) -> bool {
        self.kind == RequestKind::Amendment && self.state == RequestState::Denied
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.kind.write(&mut out);
        self.state.write(&mut out);
        out.bytes(self.patient_id.as_bytes());
        out.number(self.record.is_some().into());
        if let Some((kind, id)) = &self.record {
            out.number(kind.number().into());
            out.bytes(id.as_bytes());
        }
        out.number(self.version.into());
        out.number(self.amended.into());
        out.signed(self.due.0);
        out.number(self.denial.is_some().into());
        if let Some(denial) = self.denial {
            denial.write(&mut out);
        }
        let said = [
            Some(&self.asked),
            self.extension.as_ref(),
            self.decision.as_ref(),
            self.disagreement.as_ref(),
            self.rebuttal.as_ref(),
        ];
        for said in said {
            out.number(said.is_some().into());
            if let Some(said) = said {
                out.bytes(said.text.expose().as_bytes());
                out.bytes(said.by.as_bytes());
                out.signed(said.at.0);
            }
        }
        out.0
    }

    /// `kind number, state number, patient's id, 1 of an entry number, { type number, id }?, version number, amended number, due signed,
    /// 1 denied number, ground number?`, then five times `there number, { text, who, when signed }?`: asked, extension, decision, disagreement,
    /// rebuttal; texts with their length before them.
    fn decode(key: AsideKey, plain: &[u8]) -> Result<Request> {
        let mut reader = Reader { rest: plain };
        let (kind, state, patient_id) =
            (RequestKind::read(&mut reader)?, RequestState::read(&mut reader)?, reader.text()?);
        let record = if reader.number()? == 1 { Some((reader.kind()?, reader.text()?)) } else { None };
        let (version, amended, due) = (reader.small()?, reader.small()?, Timestamp(reader.signed()?));
        let denial = if reader.number()? == 1 { Some(Denial::read(&mut reader)?) } else { None };
        let mut said = || -> Result<Option<Statement>> {
            if reader.number()? == 0 {
                return Ok(None);
            }
            Ok(Some(Statement { text: Phi::new(reader.text()?), by: reader.text()?, at: Timestamp(reader.signed()?) }))
        };
        Ok(Request {
            number: key.number,
            kind,
            patient: key.patient,
            patient_id,
            record,
            version,
            amended,
            due,
            state,
            denial,
            asked: said()?.ok_or_else(|| Code::Corrupt.error())?,
            extension: said()?,
            decision: said()?,
            disagreement: said()?,
            rebuttal: said()?,
        })
    }
}

impl Session {
    /// A patient asks that an entry, or something of their chart, be amended: there are 60 days to decide.
    ///
    /// # Errors
    /// - `not-found`: there is no such patient or entry for this session; `invalid-argument`: no words, or more than 64 KiB;
    ///   `denied`.
    pub fn request_amendment(
        &self,
        patient: &str,
        record: Option<(ResourceType, &str)>,
        text: &str,
    ) -> Result<Request> {
        self.ask(Path::RequestAmendment, RequestKind::Amendment, patient, record, text)
    }

    /// A patient asks for all that is kept about them: there are 30 days to give it.
    ///
    /// # Errors
    /// - as [`Session::request_amendment`].
    pub fn request_access(&self, patient: &str, text: &str) -> Result<Request> {
        self.ask(Path::RequestAccess, RequestKind::Access, patient, None, text)
    }

    fn ask(
        &self,
        path: Path,
        kind: RequestKind,
        patient: &str,
        record: Option<(ResourceType, &str)>,
        text: &str,
    ) -> Result<Request> {
        let (of, id) = record.unwrap_or((ResourceType::PATIENT, patient));
        let mut pass = self.enter_at(path, of, id)?;
        match asked(&mut pass, kind, patient, record, text) {
            Err(error) => pass.refuse(error),
            Ok((request, change)) => {
                pass.commit(change)?;
                Ok(request)
            }
        }
    }

    /// The requests of a patient, or all of the store that this session may see.
    ///
    /// # Errors
    /// - `not-found`, `denied`, `audit-unavailable`.
    pub fn requests(&self, patient: Option<&str>) -> Result<Vec<Request>> {
        let mut pass = match patient {
            Some(id) => self.enter_at(Path::Requests, ResourceType::PATIENT, id)?,
            None => self.enter_for_all(Path::Requests)?,
        };
        let found = pass.gate().and_then(|gate| {
            let patient = match patient {
                Some(id) => Some(gate.patient(id)?.ok_or_else(|| Code::NotFound.error())?),
                None => None,
            };
            requests_of(&gate, patient)
        });
        if let Ok(all) = &found {
            pass.event.count = all.len() as u64;
        }
        pass.show(found)
    }

    /// The requests whose term is over and of which nothing was decided, by the clock of the store.
    ///
    /// # Errors
    /// - as [`Session::requests`].
    pub fn overdue_requests(&self) -> Result<Vec<Request>> {
        let mut pass = self.enter_for_all(Path::OverdueRequests)?;
        let found = pass.gate().and_then(|gate| requests_of(&gate, None)).map(|mut all| {
            all.retain(|request| request.is_overdue(pass.now()));
            all
        });
        if let Ok(all) = &found {
            pass.event.count = all.len() as u64;
        }
        pass.show(found)
    }

    /// Extends the term by 30 days, once, and before it is over; the reason goes to the patient.
    ///
    /// # Errors
    /// - `request-state`: it is decided, was extended before, or its term is over; `request-unknown`, `reason-required`, `denied`.
    pub fn extend_request(&self, number: u64, reason: &Reason) -> Result<Request> {
        self.decide(Path::ExtendRequest, number, |pass, request, _| {
            reason.check()?;
            if request.state != RequestState::Open || request.extension.is_some() || pass.now() > request.due {
                return Err(Code::RequestState.error());
            }
            request.extension = Some(said(pass, &reason.text)?);
            request.due = Timestamp(request.due.0 + 30 * DAY);
            Ok(())
        })
    }

    /// Accepts an amendment. `amended`: the entry as it is to be, with the version it was made from; it is written as an amendment
    /// in the same change set. Without it the entry is amended by a call of its own.
    ///
    /// # Errors
    /// - `request-state`: it is decided; `request-unknown`, `reason-required`, `denied`; of `amended` as [`Session::amend`].
    pub fn accept_amendment(&self, number: u64, amended: Option<(&[u8], u32)>, reason: &Reason) -> Result<Request> {
        self.decide(Path::AcceptAmendment, number, |pass, request, change| {
            let note = reason.note(ChangeKind::Amend)?;
            if request.state != RequestState::Open || request.kind != RequestKind::Amendment {
                return Err(Code::RequestState.error());
            }
            if let Some((bytes, expected)) = amended {
                let record = checked(pass.store(), bytes.to_vec())?;
                let named = request
                    .record
                    .as_ref()
                    .is_some_and(|(kind, id)| record.kind() == *kind && record.id() == Some(id.as_str()));
                if !named {
                    return Err(Code::InvalidArgument.error().expected("the entry that the request is about"));
                }
                let meta = PutMeta { note: Some(&note), ..PutMeta::DIRECT };
                if expected == 0 {
                    return Err(Code::Conflict.error());
                }
                request.amended = change.put_over(&record, &meta, expected)?.version();
                pass.event.version = request.amended;
                pass.event.digest = Active::sha256(&[record.original()]);
            }
            request.state = RequestState::Accepted;
            request.decision = Some(said(pass, &reason.text)?);
            Ok(())
        })
    }

    /// Denies an amendment on one of the grounds of the rule, with the words that the patient is told. From now on request and
    /// denial go along with the entry whenever it is disclosed.
    ///
    /// # Errors
    /// - `request-state`: it is decided; `request-unknown`, `reason-required`, `denied`.
    pub fn deny_amendment(&self, number: u64, ground: Denial, reason: &Reason) -> Result<Request> {
        self.decide(Path::DenyAmendment, number, |pass, request, _| {
            reason.check()?;
            if request.state != RequestState::Open || request.kind != RequestKind::Amendment {
                return Err(Code::RequestState.error());
            }
            request.state = RequestState::Denied;
            request.denial = Some(ground);
            request.decision = Some(said(pass, &reason.text)?);
            Ok(())
        })
    }

    /// The patient's statement of disagreement with a denial, once. It goes along with the entry whenever that is disclosed.
    ///
    /// # Errors
    /// - `request-state`: it is not denied, or there is a statement; `request-unknown`, `invalid-argument`, `denied`.
    pub fn disagree(&self, number: u64, text: &str) -> Result<Request> {
        self.decide(Path::Disagree, number, |pass, request, _| {
            if request.state != RequestState::Denied || request.disagreement.is_some() {
                return Err(Code::RequestState.error());
            }
            request.disagreement = Some(said(pass, text)?);
            Ok(())
        })
    }

    /// The answer to a statement of disagreement, once. It goes along with the statement.
    ///
    /// # Errors
    /// - `request-state`: there is no statement, or there is an answer; `request-unknown`, `invalid-argument`, `denied`.
    pub fn rebut(&self, number: u64, text: &str) -> Result<Request> {
        self.decide(Path::Rebut, number, |pass, request, _| {
            if request.disagreement.is_none() || request.rebuttal.is_some() {
                return Err(Code::RequestState.error());
            }
            request.rebuttal = Some(said(pass, text)?);
            Ok(())
        })
    }

    /// Says that a request for access was met: the package was given.
    ///
    /// # Errors
    /// - `request-state`: it is none for access, or was met; `request-unknown`, `reason-required`, `denied`.
    pub fn fulfil_access(&self, number: u64, reason: &Reason) -> Result<Request> {
        self.decide(Path::FulfilAccess, number, |pass, request, _| {
            reason.check()?;
            if request.state != RequestState::Open || request.kind != RequestKind::Access {
                return Err(Code::RequestState.error());
            }
            request.state = RequestState::Fulfilled;
            request.decision = Some(said(pass, &reason.text)?);
            Ok(())
        })
    }

    fn decide<'s>(
        &'s self,
        path: Path,
        number: u64,
        step: impl FnOnce(&mut Pass<'s>, &mut Request, &mut Draft<'s>) -> Result<()>,
    ) -> Result<Request> {
        let mut pass = self.enter(path)?;
        let decided = || {
            let unknown = || Code::RequestUnknown.error();
            let mut change = pass.change()?;
            let (key, plain) = change.aside(AsideKind::Request, number)?.ok_or_else(unknown)?;
            let mut request = Request::decode(key, &plain)?;
            if !is_shown(change.gate(), &request)? {
                return Err(unknown());
            }
            about(&mut pass, &request);
            step(&mut pass, &mut request, &mut change)?;
            change.aside_put(key, &request.encode())?;
            Ok((request, change))
        };
        match decided() {
            Err(error) => pass.refuse(error),
            Ok((request, change)) => {
                pass.commit(change)?;
                Ok(request)
            }
        }
    }
}

/// The record that a row of a request is about.
pub(super) fn about_record(plain: &[u8]) -> Result<Option<(ResourceType, String)>> {
    let key = AsideKey { kind: AsideKind::Request, patient: PatientNumber::SHARED, compartment: 0, number: 0 };
    Request::decode(key, plain).map(|request| request.record)
}

fn about(pass: &mut Pass<'_>, request: &Request) {
    let (kind, id) = match &request.record {
        Some((kind, id)) => (*kind, id.as_str()),
        None => (ResourceType::PATIENT, request.patient_id.as_str()),
    };
    (pass.event.resource, pass.event.id) = (Some(kind), id.to_owned());
    pass.event.patient = request.patient.0;
    pass.event.version = request.version;
    pass.event.count = 1;
}

/// Most bytes of what somebody says in a request.
const WORDS: usize = 64 << 10;

fn said(pass: &Pass<'_>, text: &str) -> Result<Statement> {
    if text.trim().is_empty() || text.len() > WORDS {
        return Err(Code::InvalidArgument.error().expected("1 to 65536 bytes of text"));
    }
    Ok(Statement { text: Phi::new(text.to_owned()), by: pass.session().actor.id.clone(), at: pass.now() })
}

fn asked<'s>(
    pass: &mut Pass<'s>,
    kind: RequestKind,
    patient_id: &str,
    record: Option<(ResourceType, &str)>,
    text: &str,
) -> Result<(Request, Draft<'s>)> {
    let not_found = || Code::NotFound.error();
    let asked = said(pass, text)?;
    let mut change = pass.change()?;
    let gate = change.gate();
    let patient = gate.patient(patient_id)?.ok_or_else(not_found)?;
    let (version, compartment) = match record {
        Some((of, id)) => {
            let stored = gate.current(of, id)?.filter(|stored| stored.patient() == patient).ok_or_else(not_found)?;
            (stored.version(), stored.compartment() as u8)
        }
        None => (0, 0),
    };
    let number = change.aside_number()?;
    let days = if kind == RequestKind::Amendment { 60 } else { 30 };
    let request = Request {
        number,
        kind,
        patient,
        patient_id: patient_id.to_owned(),
        record: record.map(|(kind, id)| (kind, id.to_owned())),
        version,
        due: Timestamp(asked.at.0 + days * DAY),
        asked,
        extension: None,
        state: RequestState::Open,
        denial: None,
        decision: None,
        amended: 0,
        disagreement: None,
        rebuttal: None,
    };
    change.aside_put(AsideKey { kind: AsideKind::Request, patient, compartment, number }, &request.encode())?;
    about(pass, &request);
    Ok((request, change))
}

/// Whether the session may see what a request is about.
fn is_shown(gate: &Gate<'_>, request: &Request) -> Result<bool> {
    let shown = match &request.record {
        Some((kind, id)) => !gate.history(*kind, id)?.is_empty() || !gate.retracted(*kind, id)?.is_empty(),
        None => true,
    };
    Ok(shown && gate.patient(&request.patient_id)? == Some(request.patient))
}

/// The requests of a patient, or all, behind the gate: one about an entry that is withheld is withheld.
pub(super) fn requests_of(gate: &Gate<'_>, patient: Option<PatientNumber>) -> Result<Vec<Request>> {
    let mut all = Vec::new();
    for (key, plain) in gate.ungated().asides(AsideKind::Request, patient)? {
        let request = Request::decode(key, &plain)?;
        if is_shown(gate, &request)? {
            all.push(request);
        }
    }
    Ok(all)
}
