//! The policy of a store: kept sealed in it, put in place by who may, asked why.

use super::actor::Actor;
use super::{Path, Session};
use crate::access::{Action, Explanation, Facts, Lens, Policy, Purpose, Role, Subject};
use crate::error::{Code, Result};
use crate::id::PatientNumber;
use crate::schema::ResourceType;
use crate::store::{ReadView, Reader, Store, Table, Writer};
use crate::vault::{self, Context, RowKind};
use std::sync::Arc;

/// The policy in force, and how many there were before it.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) number: u32,
    pub(super) policy: Arc<Policy>,
}

/// The row it is kept in.
const ROW: &[u8] = b"policy";

impl Current {
    /// Reads it from a store; where none was ever put, it is the standard one.
    pub(super) fn load(store: &Store) -> Result<Current> {
        Current::read(store, store.snapshot()?.view())
    }

    fn read(store: &Store, rows: &dyn ReadView) -> Result<Current> {
        let Some(sealed) = rows.get(Table::Meta, ROW)? else {
            return Ok(Current { number: 0, policy: Arc::new(Policy::standard().clone()) });
        };
        let plain = vault::open(store.keys().store_key(), &context(store), &sealed)?;
        let mut reader = Reader { rest: &plain };
        let (number, text) = (reader.small()?, reader.text()?);
        Ok(Current { number, policy: Arc::new(Policy::parse(&text)?) })
    }
}

fn context(store: &Store) -> Context<'static> {
    Context::new(store.keys().store_id(), PatientNumber::SHARED, RowKind::Policy, 0, 0)
}

impl Session {
    /// The policy in force, and its number: how many were put in place before it.
    ///
    /// # Errors
    /// - `denied`, `audit-unavailable`.
    pub fn policy(&self) -> Result<(Policy, u32)> {
        let pass = self.enter_for_all(Path::Policy)?;
        let current = pass.policy();
        pass.show(current.map(|current| (Policy::clone(&current.policy), current.number)))
    }

    /// Puts a policy in place, for every session from its next call on. Gives its number.
    ///
    /// # Durability
    /// When this returns, the policy and its audit event are on disk; when it fails, neither is.
    ///
    /// # Errors
    /// - `policy-invalid`: under it nobody could put another in its place. `conflict`: somebody else put one in place since this
    ///   call began. `denied`, `audit-unavailable`.
    pub fn set_policy(&self, policy: &Policy) -> Result<u32> {
        let mut pass = self.enter_for_all(Path::SetPolicy)?;
        let all =
            Role::ALL.iter().flat_map(|role| Purpose::ALL.iter().map(move |purpose| Subject::new(*role, *purpose)));
        let shared = Arc::new(policy.clone());
        let mut lenses =
            all.map(|subject| Lens::new(shared.clone(), Subject { mfa: true, break_glass: false, ..subject }));
        if !lenses.any(|lens| lens.decide(Action::Policy, &Facts::NONE).permitted) {
            return pass.refuse(Code::PolicyInvalid.error().expected("somebody who may put another in its place"));
        }
        let store = pass.store();
        let put = pass.change().and_then(|mut change| {
            // In the turn, so that a number is given once; and by nobody whom a policy of meanwhile would refuse.
            let before = Current::read(store, change.view())?.number;
            if before != pass.event.policy {
                return Err(Code::Conflict.error());
            }
            let number = before.saturating_add(1);
            let mut out = Writer::default();
            out.number(number.into());
            out.bytes(policy.text().as_bytes());
            let sealed = vault::seal(store.keys().store_key(), &context(store), &out.0, store.random())?;
            change.table_put(Table::Meta, ROW.to_vec(), sealed)?;
            Ok((number, change))
        });
        match put {
            Err(error) => pass.refuse(error),
            Ok((number, change)) => {
                (pass.event.count, pass.event.policy) = (1, number);
                pass.commit_policy(change, Current { number, policy: shared })?;
                Ok(number)
            }
        }
    }

    /// What an actor would be told for an action on a record (or, without one, on none in particular), and why: the rule that
    /// decides, or what was missing from the rules that would have permitted it. For who may change the policy.
    ///
    /// # Privacy
    /// It says whether a record exists, and what labels and consent decide about it.
    ///
    /// # Errors
    /// - `denied`, `not-found`, `audit-unavailable`.
    pub fn explain(
        &self,
        actor: &Actor,
        purpose: Purpose,
        action: Action,
        record: Option<(ResourceType, &str)>,
    ) -> Result<Explanation> {
        let mut pass = match record {
            Some((kind, id)) => self.enter_at(Path::Explain, kind, id)?,
            None => self.enter(Path::Explain)?,
        };
        pass.event.reason = format!("{} as {} for {}", action.name(), actor.role.name(), purpose.name());
        let explained = pass.explain(actor, purpose, action, record);
        pass.show(explained)
    }

    /// Says that the actor takes care of a patient: the host knows it, whatever the chart says. For as long as the session is
    /// open; it is recorded.
    ///
    /// # Errors
    /// - `audit-unavailable`.
    pub fn relate(&self, patient: &str) -> Result<()> {
        let pass = self.enter_at(Path::Relate, ResourceType::PATIENT, patient)?;
        pass.show(Ok(()))?;
        self.custody.relate(patient);
        Ok(())
    }
}
