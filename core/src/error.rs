//! Errors and findings: one catalogue of codes, one error type, no record content.
//!
//! Every error and every finding is a line of [`Code`]: a name, a number that is never reused, one sentence.
//! An [`Error`] is built from static words, numbers and element paths only, so it cannot carry what a record says.

mod explain;

pub use explain::{Example, Explanation, Setting};

use std::fmt;

macro_rules! catalogue {
    ($( $(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $sentence:literal; )*) => {
        /// What went wrong or was found. Numbers are stable and never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Code { $( #[doc = $sentence] $(#[$doc])* $name = $number, )* }

        impl Code {
            /// Every code, in catalogue order.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
            /// The stable number, as the C ABI reports it.
            pub const fn number(self) -> u16 { self as u16 }
            /// The stable name, as Python, `--json` and an OperationOutcome report it.
            pub const fn name(self) -> &'static str { match self { $(Code::$name => $text,)* } }
            /// One sentence: what this code means.
            pub const fn sentence(self) -> &'static str { match self { $(Code::$name => $sentence,)* } }
        }
    };
}

catalogue! {
    // 1-99: the caller and the machine
    InvalidArgument = 1, "invalid-argument", "an argument is not of the form the call asks for";
    NotFound = 2, "not-found", "there is nothing here under that name, or it is not for this session to see";
    Internal = 3, "internal", "a rule of the library itself was broken; nothing was written";
    Cancelled = 4, "cancelled", "the caller cancelled the call";
    Unsupported = 5, "unsupported", "this version or form is not supported";
    Io = 6, "io", "the operating system refused to read or write";
    Deadline = 7, "deadline", "the call took longer than the caller allowed";
    LimitMemory = 8, "limit-memory", "the call would hold more memory than the caller allowed";
    // 100-199: JSON text
    JsonSyntax = 100, "json-syntax", "the text is not well-formed JSON";
    JsonUtf8 = 101, "json-utf8", "the text is not valid UTF-8";
    JsonSurrogate = 102, "json-surrogate", "a \\u escape is half of a surrogate pair";
    JsonBom = 103, "json-bom", "the text starts with a byte order mark";
    JsonTrailing = 104, "json-trailing", "there is more text after the end of the value";
    JsonEnd = 105, "json-end", "the text ends before the value does";
    JsonDuplicateKey = 106, "json-duplicate-key", "a name occurs twice in one object";
    LimitDepth = 110, "limit-depth", "the value is nested deeper than the limit";
    LimitSize = 111, "limit-size", "the text is larger than the limit";
    LimitCount = 112, "limit-count", "there are more values than the limit";
    // 120-139: XML text
    XmlSyntax = 120, "xml-syntax", "the text is not well-formed XML";
    XmlEncoding = 121, "xml-encoding", "the text is not UTF-8";
    XmlEnd = 122, "xml-end", "the text ends before its elements do";
    XmlDoctype = 123, "xml-doctype", "the text has a document type declaration, which FHIR forbids";
    XmlEntity = 124, "xml-entity", "a reference names an entity other than the five that XML itself has";
    XmlTag = 125, "xml-tag", "an end tag does not match its start tag";
    XmlAttributeTwice = 126, "xml-attribute-twice", "an attribute occurs twice in one tag";
    XmlPrefix = 127, "xml-prefix", "a namespace prefix is not declared";
    XmlNamespace = 130, "xml-namespace", "an element is not in the namespace it belongs to";
    XmlOrder = 131, "xml-order", "an element does not stand where the order of its type puts it";
    XmlAttribute = 132, "xml-attribute", "an attribute stands where FHIR has none of that name";
    XmlText = 133, "xml-text", "text stands between elements, where FHIR allows none";
    XmlShape = 134, "xml-shape", "the element does not have the XML form of its type";
    XmlUnsayable = 136, "xml-unsayable", "the record holds something that FHIR's XML form cannot say";
    // 200-219: the record's structure (findings)
    ResourceTypeMissing = 200, "resource-type-missing", "a resource has no resourceType";
    ResourceTypeUnknown = 201, "resource-type-unknown", "the resourceType is not one of FHIR R4";
    ElementUnknown = 202, "element-unknown", "an element is not part of this type";
    ElementMissing = 203, "element-missing", "a required element is missing";
    ElementRepeats = 204, "element-repeats", "an element that may occur once is an array";
    ElementNotArray = 205, "element-not-array", "an element that may repeat is not an array";
    ElementType = 206, "element-type", "the JSON type does not fit the element";
    ElementEmpty = 207, "element-empty", "an object, array or string is empty";
    ChoiceRepeated = 208, "choice-repeated", "a choice element has more than one type";
    NullValue = 209, "null-value", "null stands where FHIR allows none";
    PairLength = 210, "pair-length", "the arrays of values and of their extensions differ in length";
    PrimitiveForm = 211, "primitive-form", "the value does not have the form of its type";
    CodeUnknown = 212, "code-unknown", "the code is not in the required value set";
    ReferenceForm = 213, "reference-form", "the reference does not have one of the forms FHIR allows";
    ReferenceTarget = 214, "reference-target", "the reference points to a type that is not allowed here";
    ReferenceContained = 215, "reference-contained", "the reference names a contained resource that is not there";
    ContainedShape = 216, "contained-shape", "a contained resource breaks the rules of containment";
    NarrativeUnsafe = 217, "narrative-unsafe", "the narrative holds markup that FHIR does not allow";
    BundleShape = 218, "bundle-shape", "the Bundle breaks a rule of its type";
    FindingsTruncated = 219, "findings-truncated", "there were more findings than the limit; the rest were counted only";
    // 220-229: references and Bundles beyond their shape
    BundleFullUrl = 220, "bundle-full-url", "the fullUrl of an entry does not fit its resource";
    BundleLink = 221, "bundle-link", "a link of the Bundle occurs twice";
    BundleSearch = 222, "bundle-search", "what a search found is not what was searched for, or has no id";
    BundleUnreachable = 223, "bundle-unreachable", "an entry has no tie to the first of the document or message";
    BundleReference = 224, "bundle-reference", "a reference of the document or message points to nothing in the Bundle";
    AttachmentSize = 225, "attachment-size", "the size of the attachment is not that of its data";
    ReferenceOutside = 226, "reference-outside", "a reference points to nothing in the record";
    MarkdownHtml = 227, "markdown-html", "text in markdown holds a tag of HTML";
    // 230-249: FHIRPath
    FhirpathSyntax = 230, "fhirpath-syntax", "the expression is not well-formed FHIRPath";
    FhirpathTooDeep = 231, "fhirpath-too-deep", "the expression is longer or nested deeper than the limit";
    FhirpathLiteral = 232, "fhirpath-literal", "a literal of the expression does not have the form of its type";
    FhirpathFunction = 233, "fhirpath-function", "there is no function of that name";
    FhirpathArity = 234, "fhirpath-arity", "a function has too few or too many parameters";
    FhirpathTypeName = 235, "fhirpath-type-name", "there is no type of that name";
    FhirpathElement = 236, "fhirpath-element", "the type has no element of that name";
    FhirpathTypes = 237, "fhirpath-types", "an operator or a function of the expression cannot take what it is given";
    FhirpathOrder = 238, "fhirpath-order", "the expression relies on the order of what has none";
    FhirpathPattern = 239, "fhirpath-pattern", "a regular expression is not one, or is too large";
    FhirpathOperand = 240, "fhirpath-operand", "an operator or a function met a value it cannot take";
    FhirpathSingleton = 241, "fhirpath-singleton", "there was more than one item where one is allowed";
    FhirpathVariable = 242, "fhirpath-variable", "a variable, or the time, is not given";
    FhirpathLimit = 243, "fhirpath-limit", "the evaluation took more steps or memory than the limits allow";
    // 250-259: UCUM
    UnitSyntax = 250, "unit-syntax", "the unit is not written as UCUM asks";
    UnitUnknown = 251, "unit-unknown", "the unit has a symbol that UCUM does not know, or a prefix that it does not take";
    UnitClash = 252, "unit-clash", "the two units measure different things";
    UnitSpecial = 253, "unit-special", "a unit on a scale of its own takes no part in products and powers";
    UnitRange = 254, "unit-range", "the value has no counterpart in that unit";
    UnitDivisor = 255, "unit-divisor", "the quantity to divide by is 0";
    UnitLimit = 256, "unit-limit", "the unit or its numbers are longer than the limit";
    // 260-284: terminology
    ValueSetUnknown = 260, "value-set-unknown", "the value set is in no package, and no source knows it";
    ExpansionImpossible = 261, "expansion-impossible", "a part of the value set cannot be listed here, and no source lists it";
    ExpansionLimit = 262, "expansion-limit", "the value set has more codes than the limit";
    ConceptMapUnknown = 263, "concept-map-unknown", "the concept map is in no package";
    DefinitionCode = 264, "definition-code", "a definition names a code that its code system or value set does not have";
    DefinitionFilter = 265, "definition-filter", "a filter of a value set has no meaning in its code system";
    DefinitionCount = 266, "definition-count", "a complete code system does not have as many concepts as it says";
    DefinitionSupplement = 267, "definition-supplement", "a supplement does not fit the code system it supplements";
    DefinitionUrl = 268, "definition-url", "a definition or a code system is named by a url that is not absolute";
    // 285-289: shapes and check digits of codes
    CodeShape = 285, "code-shape", "the code does not have the shape that its system gives its codes";
    CodeCheckDigit = 286, "code-check-digit", "the check digit of the code does not fit its other digits";
    // 290-299: packages
    PackageUnreadable = 290, "package-unreadable", "the package is neither a gzip'ed tar archive nor a folder that can be read";
    PackageMember = 291, "package-member", "a file of the package is not a resource of FHIR R4 that can be read; the others were kept";
    PackageManifest = 292, "package-manifest", "the package has no package.json, or not one that can be read";
    PackageDuplicate = 293, "package-duplicate", "two resources of a package have the same url and version; the last one counts";
    PackagePath = 294, "package-path", "a file name in the package is absolute or climbs out of it; the file was left aside";
    PackageLimit = 295, "package-limit", "the package has more files or bytes than the limit";
    PackageMissing = 296, "package-missing", "a package that another one depends on is not loaded";
    // 300-359: profiles
    ProfileUnknown = 300, "profile-unknown", "a profile is not among those loaded, so nothing was checked against it";
    ProfileMin = 302, "profile-min", "the profile asks for more values of an element";
    ProfileMax = 303, "profile-max", "the profile allows fewer values of an element";
    ProfileType = 304, "profile-type", "the value is not of a type that the profile allows";
    ProfileFixed = 305, "profile-fixed", "the value is not the one the profile fixes";
    ProfilePattern = 306, "profile-pattern", "the value does not have the pattern of the profile";
    ProfileConstraint = 307, "profile-constraint", "a constraint of the profile does not hold";
    ProfileNoneFits = 308, "profile-none-fits", "the value conforms to none of the profiles of its type";
    ValueRange = 309, "value-range", "the value is outside the bounds of the profile";
    ValueLength = 310, "value-length", "the text is longer or shorter than the profile allows";
    SliceMissing = 311, "slice-missing", "the profile asks for more values of a slice";
    SliceRepeats = 312, "slice-repeats", "the profile allows fewer values of a slice";
    SliceUnmatched = 313, "slice-unmatched", "the value belongs to no slice, and the slicing is closed";
    SliceOrder = 314, "slice-order", "the slices are not in the order of the profile";
    TargetProfile = 315, "target-profile", "the target of a reference conforms to none of the profiles named for it";
    ReferenceAggregation = 316, "reference-aggregation", "the reference points to its target in a way the profile does not allow";
    ConstraintUnread = 317, "constraint-unread", "a constraint of the profile cannot be evaluated, so it was not checked";
    NarrativeParts = 318, "narrative-parts", "the parts of the narrative do not say what the profile asks of them";
    MustSupport = 319, "must-support", "an element is absent that the profile asks systems to support";
    ExtensionUnknown = 320, "extension-unknown", "the definition of an extension is not loaded";
    ExtensionContext = 321, "extension-context", "the extension may not be used on this element";
    ExtensionUrl = 322, "extension-url", "the url of an extension is not that of an extension";
    ExtensionPart = 323, "extension-part", "the definition of the extension has no part of that url";
    ExtensionModifier = 324, "extension-modifier", "an extension that changes meaning, and one that does not, have their own places";
    BindingRequired = 330, "binding-required", "the code is not in the value set that the profile requires";
    BindingExtensible = 331, "binding-extensible", "the code is not in the extensible value set of the profile";
    BindingPreferred = 332, "binding-preferred", "the code is not in the value set that the profile prefers";
    BindingUnchecked = 333, "binding-unchecked", "nobody here can tell whether the code is in the required value set";
    CodeNotInSystem = 334, "code-not-in-system", "the code system does not have the code";
    DisplayWrong = 335, "display-wrong", "the display is none that the code system has for the code";
    CodingSystem = 336, "coding-system", "the system of a code is not that of a code system";
    DiscriminatorPath = 337, "discriminator-path", "a discriminator names no element of what is sliced";
    ValidationLimit = 340, "validation-limit", "the record needs more steps than the limit; it was checked in part";
    CompiledUnreadable = 341, "compiled-unreadable", "the file is no validator that was kept on disk, or not a whole one";
    CompiledVersion = 342, "compiled-version", "another version of the library kept the validator; make it again from its packages";
    // 360-379: questionnaires
    QuestionnaireUnknown = 360, "questionnaire-unknown", "the questionnaire is not loaded, so the answers were not checked against it";
    ItemUnknown = 361, "item-unknown", "the questionnaire has no item of this linkId at this place";
    ItemOrder = 362, "item-order", "the items do not stand in the order of the questionnaire";
    ItemDisabled = 363, "item-disabled", "an item is answered that is not enabled";
    ItemShape = 364, "item-shape", "answers or items stand where the type of the item has none";
    AnswerMissing = 365, "answer-missing", "a required item has no answer";
    AnswerCount = 366, "answer-count", "there are more or fewer answers than the item allows";
    AnswerType = 367, "answer-type", "the answer is not of the type that the item asks for";
    AnswerOption = 368, "answer-option", "the answer is none of those the item offers";
    AnswerRange = 369, "answer-range", "the answer is below or above what the item allows";
    AnswerUnit = 370, "answer-unit", "the unit is none of those the item allows, or cannot be compared with its limits";
    AnswerForm = 371, "answer-form", "the answer does not have the form that the item asks for";
    QuestionnaireRule = 372, "questionnaire-rule", "the questionnaire asks for what no response can give";
    QuestionnaireDate = 373, "questionnaire-date", "the response was written outside the time in which the questionnaire is to be used";
    // 380-389: invariants
    InvariantBroken = 380, "invariant-broken", "a formal rule of the standard (invariant) does not hold";
    InvariantUnknown = 381, "invariant-unknown", "a formal rule of the standard (invariant) could not be evaluated on this";
    // 400-499: keys and vault
    WrongKey = 400, "wrong-key", "the key does not open this";
    Corrupt = 401, "corrupt", "stored bytes are not what was written";
    Truncated = 402, "truncated", "stored bytes end too early";
    VersionUnsupported = 403, "version-unsupported", "the stored format is newer or older than this library reads";
    KeyUnavailable = 404, "key-unavailable", "the key source did not answer";
    KeyWeak = 405, "key-weak", "the key derivation parameters are below the floor";
    RandomUnavailable = 406, "random-unavailable", "the operating system gave no random bytes";
    LastKey = 407, "last-key", "this is the only key that opens the store";
    RecoveryKeyForm = 408, "recovery-key-form", "the text is not a recovery key as it was shown";
    HeaderOld = 409, "header-old", "the wrapped keys are older than the store they stand in front of";
    KeyEpochGone = 410, "key-epoch-gone", "the key that wraps this was destroyed when keys were rotated";
    ShareForm = 411, "share-form", "the text is not a share as it was shown";
    SharesTooFew = 412, "shares-too-few", "more shares are needed";
    SharesMixed = 413, "shares-mixed", "the shares are not of one set";
    Forked = 414, "forked", "this store was opened by the process that this one was forked from";
    CachedKeyExpired = 415, "cached-key-expired", "the key kept for work offline is older than it may be";
    ClockSetBack = 416, "clock-set-back", "the clock says less than it did";
    StoreMoved = 417, "store-moved", "this store was written anew into another file: open that one";
    ShredUnfinished = 430, "shred-unfinished", "the chart is gone, but what its keys were wrapped under is not destroyed yet";
    RolledBack = 431, "rolled-back", "the file is older than its anchor knows, or went another way from there";
    AnchorUnavailable = 432, "anchor-unavailable", "what remembers how far the store had come does not answer";
    AnchorMissing = 433, "anchor-missing", "the anchor of this store has nothing to say";
    AnchorInvalid = 434, "anchor-invalid", "the anchor says what this store never wrote";
    AnchorOther = 435, "anchor-other", "the anchor is that of another store";
    // 500-599: store
    Locked = 500, "locked", "another process has this store open";
    StoreExists = 501, "store-exists", "there is already a file of that name";
    NotAStore = 502, "not-a-store", "the file is not an ehrcore store";
    Conflict = 503, "conflict", "the record changed since the version named";
    Erased = 504, "erased", "the record was erased";
    QueryInvalid = 505, "query-invalid", "the search is not of a form this store answers";
    Poisoned = 506, "poisoned", "an earlier failure closed this handle; open the store again";
    ReadOnly = 507, "read-only", "the store is open for reading only";
    StoreIo = 508, "store-io", "the storage under the store refused to read or write";
    TurnHeld = 515, "turn-held", "this thread has a change set under way in this store; writing waits for its end";
    BackupChain = 516, "backup-chain", "an incremental backup does not continue the one before it";
    OtherStore = 517, "other-store", "the copy is of another store";
    CopyOlder = 518, "copy-older", "the copy may be older than the damaged file";
    CopyDamaged = 519, "copy-damaged", "the copy is damaged itself";
    MapDamaged = 520, "map-damaged", "what says where the pages of the file are does not open, or is not the newest";
    // 600-699: audit and access
    Denied = 600, "denied", "the session may not do this";
    AuditUnavailable = 601, "audit-unavailable", "the audit entry could not be written, so the access did not happen";
    AuditBroken = 602, "audit-broken", "the audit log does not verify";
    PurposeRequired = 603, "purpose-required", "the call needs a purpose of use";
    PolicyInvalid = 610, "policy-invalid", "the policy cannot be read, or names something that does not exist";
    PolicyUnreachable = 611, "policy-unreachable", "a rule of the policy never decides";
    PolicyBroad = 612, "policy-broad", "a rule of the policy permits more than a rule should";
    PolicyIdle = 613, "policy-idle", "under the policy somebody may do nothing, or nobody may do something that has to be done";
    BreakGlassRefused = 614, "break-glass-refused", "emergency access takes a reason and a second factor";
    BreakGlassEnded = 615, "break-glass-ended", "the emergency access has ended";
    MaskedWrite = 616, "masked-write", "the session sees this record with elements left out, and would lose them by writing it";
    CheckpointUnreadable = 630, "checkpoint-unreadable", "the text is not a checkpoint of this store's audit log";
    // 700-799: exchange
    RecordInvalid = 700, "record-invalid", "the record does not conform; nothing was written";
    BundleUnreadable = 701, "bundle-unreadable", "the source is not a Bundle or NDJSON that can be read";
    QuarantineUnknown = 702, "quarantine-unknown", "there is no quarantined entry of that number";
    // 703 was `reference-unresolved`, which nothing ever said.
    TransactionRefused = 704, "transaction-refused", "another entry of its transaction cannot be stored, so none of them is";
    // 800-849: the life of an entry
    Retracted = 800, "retracted", "the record was retracted; it changes again only after it is restored";
    ReasonRequired = 801, "reason-required", "a change of an entry needs its reason";
    Hold = 802, "hold", "a legal hold covers this; it names whom to ask";
    AugmentAlters = 803, "augment-alters", "what was there is changed or gone: that is no addition";
    ConflictUnknown = 804, "conflict-unknown", "there is no conflict of that number that waits to be settled";
    RequestUnknown = 805, "request-unknown", "there is no request of that number for this session";
    RequestState = 806, "request-state", "the request is not in a state in which this may be done";
    RetentionRunning = 807, "retention-running", "it has to be kept still, or no rule says how long it has to be kept";
    SamePerson = 808, "same-person", "who proposed it cannot approve it: that takes somebody else";
    ProposalUnknown = 809, "proposal-unknown", "there is no proposal of that number that waits";
    Destroyed = 810, "destroyed", "a record of that id was destroyed; it does not come in again unseen";
    // 900-999: the edges
    Panic = 900, "panic", "the library caught a defect of its own at the boundary";
    NullPointer = 901, "null-pointer", "a pointer that must not be null is null";
    HandleClosed = 902, "handle-closed", "the handle was closed";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where an error or a finding is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Element path such as `Patient.name[0].family`: names of the specification and indices, never content.
    pub path: Option<String>,
    /// Line, counted from 1; 0 where there is none.
    pub line: u32,
    /// Column in bytes, counted from 1; 0 where there is none.
    pub column: u32,
    /// Byte offset in the input.
    pub offset: Option<u64>,
}

/// What was found in place of what was expected: a length, a count or a static word, never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A length in bytes or characters.
    Length(u64),
    /// A count.
    Count(u64),
    /// A word of the library's own.
    Word(&'static str),
}

/// An error of ehrcore: a [`Code`], a place, what was expected and what was found. It never holds record content.
#[derive(Clone, thiserror::Error)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    location: Location,
    expected: Option<&'static str>,
    found: Option<Found>,
    io: Option<std::io::ErrorKind>,
    issues: Vec<crate::report::Issue>,
    ask: Option<Box<str>>,
}

/// The result of every call that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Code {
    /// An error of this code with no location yet.
    #[must_use]
    pub fn error(self) -> Error {
        Error(Box::new(Inner {
            code: self,
            location: Location::default(),
            expected: None,
            found: None,
            io: None,
            issues: Vec::new(),
            ask: None,
        }))
    }
    /// An error of this code at an element path. `path` is made of specification names and indices only.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Error {
        self.error().at(path)
    }
}

impl Error {
    /// Puts the element path in.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.0.location.path = Some(path.into());
        self
    }
    /// Puts line and column in (both counted from 1).
    #[must_use]
    pub fn at_line(mut self, line: u32, column: u32) -> Self {
        self.0.location.line = line;
        self.0.location.column = column;
        self
    }
    /// Puts the byte offset in.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.0.location.offset = Some(offset);
        self
    }
    /// Says what was expected, in words of the library.
    #[must_use]
    pub fn expected(mut self, expected: &'static str) -> Self {
        self.0.expected = Some(expected);
        self
    }
    /// Says what was found: a length, a count, or a word of the library.
    #[must_use]
    pub fn found(mut self, found: Found) -> Self {
        self.0.found = Some(found);
        self
    }
    /// Puts the operating system's kind of failure in.
    #[must_use]
    pub fn with_io(mut self, kind: std::io::ErrorKind) -> Self {
        self.0.io = Some(kind);
        self
    }
    /// Attaches the findings that led to this error.
    #[must_use]
    pub fn with_issues(mut self, issues: Vec<crate::report::Issue>) -> Self {
        self.0.issues = issues;
        self
    }
    /// Attaches whom to ask about it: words of the host, which are given on request and printed nowhere.
    #[must_use]
    pub fn ask(mut self, whom: &str) -> Self {
        self.0.ask = Some(whom.into());
        self
    }
    /// Whom to ask about it, where the host said so.
    pub fn whom_to_ask(&self) -> Option<&str> {
        self.0.ask.as_deref()
    }
    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }
    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.0.location
    }
    /// The findings that led to it, where it is `record-invalid`.
    pub fn issues(&self) -> &[crate::report::Issue] {
        &self.0.issues
    }
    /// The operating system's kind of failure, where there was one.
    pub fn io_kind(&self) -> Option<std::io::ErrorKind> {
        self.0.io
    }
    /// Whether the caller asked for something that is not there or not for them.
    pub fn is_not_found(&self) -> bool {
        self.0.code == Code::NotFound
    }
    /// Whether access was denied.
    pub fn is_denied(&self) -> bool {
        self.0.code == Code::Denied
    }
}

impl From<std::io::Error> for Error {
    /// Keeps the kind only: the message of the operating system could name a file after a patient.
    fn from(error: std::io::Error) -> Self {
        let mut made = Code::Io.error();
        made.0.io = Some(error.kind());
        made
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(path) = &inner.location.path {
            write!(f, "`{path}`: ")?;
        }
        f.write_str(inner.code.sentence())?;
        if let Some(expected) = inner.expected {
            write!(f, ": expected {expected}")?;
        }
        match inner.found {
            Some(Found::Length(n)) => write!(f, ", found {n} characters")?,
            Some(Found::Count(n)) => write!(f, ", found {n}")?,
            Some(Found::Word(word)) => write!(f, ", found {word}")?,
            None => {}
        }
        if let Some(kind) = inner.io {
            write!(f, " ({kind})")?;
        }
        if inner.location.line > 0 {
            write!(f, " at line {}, column {}", inner.location.line, inner.location.column)?;
        } else if let Some(offset) = inner.location.offset {
            write!(f, " at byte {offset}")?;
        }
        write!(f, " [{}]", inner.code.name())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_number_and_no_name_is_used_twice() {
        let numbers: BTreeSet<u16> = Code::ALL.iter().map(|c| c.number()).collect();
        let names: BTreeSet<&str> = Code::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn an_io_error_keeps_its_kind_and_drops_its_message() {
        let error = Error::from(std::io::Error::new(std::io::ErrorKind::NotFound, "Ms Marker.json"));
        assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
        assert!(!format!("{error} {error:?}").contains("Marker"));
    }

    #[test]
    fn the_text_says_where_what_was_expected_and_what_was_found() {
        let error = Code::PrimitiveForm
            .at("Patient.birthDate")
            .expected("YYYY, YYYY-MM or YYYY-MM-DD")
            .found(Found::Length(9))
            .at_line(3, 14);
        assert_eq!(
            error.to_string(),
            "`Patient.birthDate`: the value does not have the form of its type: expected YYYY, YYYY-MM or YYYY-MM-DD, found 9 characters at line 3, column 14 [primitive-form]"
        );
    }
}
