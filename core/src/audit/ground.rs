//! On which ground something was disclosed, and which disclosures a patient may have accounted for.

macro_rules! grounds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $rule:literal;)*) => {
        /// The ground of a disclosure, after 45 CFR 164.502 to 164.514. Numbers are part of the format; those below 20 are what
        /// 45 CFR 164.528(a)(1) leaves out of an accounting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Ground { $($(#[$doc])* $variant = $number),* }

        impl Ground {
            /// Every one.
            pub const ALL: &'static [Ground] = &[$(Ground::$variant),*];
            /// The name.
            pub const fn name(self) -> &'static str { match self { $(Ground::$variant => $name),* } }
            /// Where the rule speaks of it.
            pub const fn rule(self) -> &'static str { match self { $(Ground::$variant => $rule),* } }
            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Ground> { match name { $($name => Some(Ground::$variant),)* _ => None } }
            /// The one of that number.
            pub const fn from_number(number: u8) -> Option<Ground> {
                match number { $($number => Some(Ground::$variant),)* _ => None }
            }
        }
    };
}

grounds! {
    /// Treatment.
    Treatment = 1, "treatment", "164.528(a)(1)(i)";
    /// Payment.
    Payment = 2, "payment", "164.528(a)(1)(i)";
    /// Health care operations.
    Operations = 3, "operations", "164.528(a)(1)(i)";
    /// To the person it is about.
    Individual = 4, "individual", "164.528(a)(1)(ii)";
    /// Incident to a use or disclosure that is permitted.
    Incidental = 5, "incidental", "164.528(a)(1)(iii)";
    /// The person authorized it.
    Authorization = 6, "authorization", "164.528(a)(1)(iv)";
    /// The facility's directory, or persons involved in the care.
    Directory = 7, "directory", "164.528(a)(1)(v)";
    /// National security or intelligence.
    NationalSecurity = 8, "national-security", "164.528(a)(1)(vi)";
    /// To a correctional institution or law enforcement that has custody.
    Custody = 9, "custody", "164.528(a)(1)(vii)";
    /// A limited data set.
    LimitedDataSet = 10, "limited-data-set", "164.528(a)(1)(viii)";
    /// Required by law.
    RequiredByLaw = 20, "required-by-law", "164.512(a)";
    /// Public health.
    PublicHealth = 21, "public-health", "164.512(b)";
    /// Victims of abuse, neglect or domestic violence.
    Abuse = 22, "abuse", "164.512(c)";
    /// Health oversight.
    Oversight = 23, "oversight", "164.512(d)";
    /// Judicial and administrative proceedings.
    Judicial = 24, "judicial", "164.512(e)";
    /// Law enforcement.
    LawEnforcement = 25, "law-enforcement", "164.512(f)";
    /// Coroners, medical examiners, funeral directors.
    Decedents = 26, "decedents", "164.512(g)";
    /// Donation of organs, eyes or tissue.
    Donation = 27, "donation", "164.512(h)";
    /// Research without an authorization.
    Research = 28, "research", "164.512(i)";
    /// A serious threat to health or safety.
    Threat = 29, "threat", "164.512(j)";
    /// Specialized government functions other than national security.
    Government = 30, "government", "164.512(k)";
    /// Workers' compensation.
    WorkersCompensation = 31, "workers-compensation", "164.512(l)";
    /// Anything else, a disclosure by mistake among it.
    Other = 32, "other", "164.528(a)(1)";
}

impl Ground {
    /// Whether a patient may have a disclosure on this ground accounted for (45 CFR 164.528(a)(1)).
    pub const fn is_accounted(self) -> bool {
        self as u8 >= 20
    }
}
