/* ehrcore: an embeddable EHR core. Written by `cargo xtask header`; do not edit.
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
 */

#ifndef EHRCORE_H
#define EHRCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef EHR_API
#define EHR_API
#endif

#define EHR_ABI_VERSION 1

/* What a status says. Numbers are never reused. */
enum ehr_code {
    EHR_OK = 0,
    /* an argument is not of the form the call asks for */
    EHR_INVALID_ARGUMENT = 1,
    /* there is nothing here under that name, or it is not for this session to see */
    EHR_NOT_FOUND = 2,
    /* a rule of the library itself was broken; nothing was written */
    EHR_INTERNAL = 3,
    /* the caller cancelled the call */
    EHR_CANCELLED = 4,
    /* this version or form is not supported */
    EHR_UNSUPPORTED = 5,
    /* the operating system refused to read or write */
    EHR_IO = 6,
    /* the call took longer than the caller allowed */
    EHR_DEADLINE = 7,
    /* the call would hold more memory than the caller allowed */
    EHR_LIMIT_MEMORY = 8,
    /* the text is not well-formed JSON */
    EHR_JSON_SYNTAX = 100,
    /* the text is not valid UTF-8 */
    EHR_JSON_UTF8 = 101,
    /* a \u escape is half of a surrogate pair */
    EHR_JSON_SURROGATE = 102,
    /* the text starts with a byte order mark */
    EHR_JSON_BOM = 103,
    /* there is more text after the end of the value */
    EHR_JSON_TRAILING = 104,
    /* the text ends before the value does */
    EHR_JSON_END = 105,
    /* a name occurs twice in one object */
    EHR_JSON_DUPLICATE_KEY = 106,
    /* the value is nested deeper than the limit */
    EHR_LIMIT_DEPTH = 110,
    /* the text is larger than the limit */
    EHR_LIMIT_SIZE = 111,
    /* there are more values than the limit */
    EHR_LIMIT_COUNT = 112,
    /* the text is not well-formed XML */
    EHR_XML_SYNTAX = 120,
    /* the text is not UTF-8 */
    EHR_XML_ENCODING = 121,
    /* the text ends before its elements do */
    EHR_XML_END = 122,
    /* the text has a document type declaration, which FHIR forbids */
    EHR_XML_DOCTYPE = 123,
    /* a reference names an entity other than the five that XML itself has */
    EHR_XML_ENTITY = 124,
    /* an end tag does not match its start tag */
    EHR_XML_TAG = 125,
    /* an attribute occurs twice in one tag */
    EHR_XML_ATTRIBUTE_TWICE = 126,
    /* a namespace prefix is not declared */
    EHR_XML_PREFIX = 127,
    /* an element is not in the namespace it belongs to */
    EHR_XML_NAMESPACE = 130,
    /* an element does not stand where the order of its type puts it */
    EHR_XML_ORDER = 131,
    /* an attribute stands where FHIR has none of that name */
    EHR_XML_ATTRIBUTE = 132,
    /* text stands between elements, where FHIR allows none */
    EHR_XML_TEXT = 133,
    /* the element does not have the XML form of its type */
    EHR_XML_SHAPE = 134,
    /* the record holds something that FHIR's XML form cannot say */
    EHR_XML_UNSAYABLE = 136,
    /* a resource has no resourceType */
    EHR_RESOURCE_TYPE_MISSING = 200,
    /* the resourceType is not one of FHIR R4 */
    EHR_RESOURCE_TYPE_UNKNOWN = 201,
    /* an element is not part of this type */
    EHR_ELEMENT_UNKNOWN = 202,
    /* a required element is missing */
    EHR_ELEMENT_MISSING = 203,
    /* an element that may occur once is an array */
    EHR_ELEMENT_REPEATS = 204,
    /* an element that may repeat is not an array */
    EHR_ELEMENT_NOT_ARRAY = 205,
    /* the JSON type does not fit the element */
    EHR_ELEMENT_TYPE = 206,
    /* an object, array or string is empty */
    EHR_ELEMENT_EMPTY = 207,
    /* a choice element has more than one type */
    EHR_CHOICE_REPEATED = 208,
    /* null stands where FHIR allows none */
    EHR_NULL_VALUE = 209,
    /* the arrays of values and of their extensions differ in length */
    EHR_PAIR_LENGTH = 210,
    /* the value does not have the form of its type */
    EHR_PRIMITIVE_FORM = 211,
    /* the code is not in the required value set */
    EHR_CODE_UNKNOWN = 212,
    /* the reference does not have one of the forms FHIR allows */
    EHR_REFERENCE_FORM = 213,
    /* the reference points to a type that is not allowed here */
    EHR_REFERENCE_TARGET = 214,
    /* the reference names a contained resource that is not there */
    EHR_REFERENCE_CONTAINED = 215,
    /* a contained resource breaks the rules of containment */
    EHR_CONTAINED_SHAPE = 216,
    /* the narrative holds markup that FHIR does not allow */
    EHR_NARRATIVE_UNSAFE = 217,
    /* the Bundle breaks a rule of its type */
    EHR_BUNDLE_SHAPE = 218,
    /* there were more findings than the limit; the rest were counted only */
    EHR_FINDINGS_TRUNCATED = 219,
    /* the fullUrl of an entry does not fit its resource */
    EHR_BUNDLE_FULL_URL = 220,
    /* a link of the Bundle occurs twice */
    EHR_BUNDLE_LINK = 221,
    /* what a search found is not what was searched for, or has no id */
    EHR_BUNDLE_SEARCH = 222,
    /* an entry has no tie to the first of the document or message */
    EHR_BUNDLE_UNREACHABLE = 223,
    /* a reference of the document or message points to nothing in the Bundle */
    EHR_BUNDLE_REFERENCE = 224,
    /* the size of the attachment is not that of its data */
    EHR_ATTACHMENT_SIZE = 225,
    /* a reference points to nothing in the record */
    EHR_REFERENCE_OUTSIDE = 226,
    /* text in markdown holds a tag of HTML */
    EHR_MARKDOWN_HTML = 227,
    /* the expression is not well-formed FHIRPath */
    EHR_FHIRPATH_SYNTAX = 230,
    /* the expression is longer or nested deeper than the limit */
    EHR_FHIRPATH_TOO_DEEP = 231,
    /* a literal of the expression does not have the form of its type */
    EHR_FHIRPATH_LITERAL = 232,
    /* there is no function of that name */
    EHR_FHIRPATH_FUNCTION = 233,
    /* a function has too few or too many parameters */
    EHR_FHIRPATH_ARITY = 234,
    /* there is no type of that name */
    EHR_FHIRPATH_TYPE_NAME = 235,
    /* the type has no element of that name */
    EHR_FHIRPATH_ELEMENT = 236,
    /* an operator or a function of the expression cannot take what it is given */
    EHR_FHIRPATH_TYPES = 237,
    /* the expression relies on the order of what has none */
    EHR_FHIRPATH_ORDER = 238,
    /* a regular expression is not one, or is too large */
    EHR_FHIRPATH_PATTERN = 239,
    /* an operator or a function met a value it cannot take */
    EHR_FHIRPATH_OPERAND = 240,
    /* there was more than one item where one is allowed */
    EHR_FHIRPATH_SINGLETON = 241,
    /* a variable, or the time, is not given */
    EHR_FHIRPATH_VARIABLE = 242,
    /* the evaluation took more steps or memory than the limits allow */
    EHR_FHIRPATH_LIMIT = 243,
    /* the unit is not written as UCUM asks */
    EHR_UNIT_SYNTAX = 250,
    /* the unit has a symbol that UCUM does not know, or a prefix that it does not take */
    EHR_UNIT_UNKNOWN = 251,
    /* the two units measure different things */
    EHR_UNIT_CLASH = 252,
    /* a unit on a scale of its own takes no part in products and powers */
    EHR_UNIT_SPECIAL = 253,
    /* the value has no counterpart in that unit */
    EHR_UNIT_RANGE = 254,
    /* the quantity to divide by is 0 */
    EHR_UNIT_DIVISOR = 255,
    /* the unit or its numbers are longer than the limit */
    EHR_UNIT_LIMIT = 256,
    /* the value set is in no package, and no source knows it */
    EHR_VALUE_SET_UNKNOWN = 260,
    /* a part of the value set cannot be listed here, and no source lists it */
    EHR_EXPANSION_IMPOSSIBLE = 261,
    /* the value set has more codes than the limit */
    EHR_EXPANSION_LIMIT = 262,
    /* the concept map is in no package */
    EHR_CONCEPT_MAP_UNKNOWN = 263,
    /* a definition names a code that its code system or value set does not have */
    EHR_DEFINITION_CODE = 264,
    /* a filter of a value set has no meaning in its code system */
    EHR_DEFINITION_FILTER = 265,
    /* a complete code system does not have as many concepts as it says */
    EHR_DEFINITION_COUNT = 266,
    /* a supplement does not fit the code system it supplements */
    EHR_DEFINITION_SUPPLEMENT = 267,
    /* a definition or a code system is named by a url that is not absolute */
    EHR_DEFINITION_URL = 268,
    /* the code does not have the shape that its system gives its codes */
    EHR_CODE_SHAPE = 285,
    /* the check digit of the code does not fit its other digits */
    EHR_CODE_CHECK_DIGIT = 286,
    /* the package is neither a gzip'ed tar archive nor a folder that can be read */
    EHR_PACKAGE_UNREADABLE = 290,
    /* a file of the package is not a resource of FHIR R4 that can be read; the others were kept */
    EHR_PACKAGE_MEMBER = 291,
    /* the package has no package.json, or not one that can be read */
    EHR_PACKAGE_MANIFEST = 292,
    /* two resources of a package have the same url and version; the last one counts */
    EHR_PACKAGE_DUPLICATE = 293,
    /* a file name in the package is absolute or climbs out of it; the file was left aside */
    EHR_PACKAGE_PATH = 294,
    /* the package has more files or bytes than the limit */
    EHR_PACKAGE_LIMIT = 295,
    /* a package that another one depends on is not loaded */
    EHR_PACKAGE_MISSING = 296,
    /* a profile is not among those loaded, so nothing was checked against it */
    EHR_PROFILE_UNKNOWN = 300,
    /* the profile asks for more values of an element */
    EHR_PROFILE_MIN = 302,
    /* the profile allows fewer values of an element */
    EHR_PROFILE_MAX = 303,
    /* the value is not of a type that the profile allows */
    EHR_PROFILE_TYPE = 304,
    /* the value is not the one the profile fixes */
    EHR_PROFILE_FIXED = 305,
    /* the value does not have the pattern of the profile */
    EHR_PROFILE_PATTERN = 306,
    /* a constraint of the profile does not hold */
    EHR_PROFILE_CONSTRAINT = 307,
    /* the value conforms to none of the profiles of its type */
    EHR_PROFILE_NONE_FITS = 308,
    /* the value is outside the bounds of the profile */
    EHR_VALUE_RANGE = 309,
    /* the text is longer or shorter than the profile allows */
    EHR_VALUE_LENGTH = 310,
    /* the profile asks for more values of a slice */
    EHR_SLICE_MISSING = 311,
    /* the profile allows fewer values of a slice */
    EHR_SLICE_REPEATS = 312,
    /* the value belongs to no slice, and the slicing is closed */
    EHR_SLICE_UNMATCHED = 313,
    /* the slices are not in the order of the profile */
    EHR_SLICE_ORDER = 314,
    /* the target of a reference conforms to none of the profiles named for it */
    EHR_TARGET_PROFILE = 315,
    /* the reference points to its target in a way the profile does not allow */
    EHR_REFERENCE_AGGREGATION = 316,
    /* a constraint of the profile cannot be evaluated, so it was not checked */
    EHR_CONSTRAINT_UNREAD = 317,
    /* the parts of the narrative do not say what the profile asks of them */
    EHR_NARRATIVE_PARTS = 318,
    /* an element is absent that the profile asks systems to support */
    EHR_MUST_SUPPORT = 319,
    /* the definition of an extension is not loaded */
    EHR_EXTENSION_UNKNOWN = 320,
    /* the extension may not be used on this element */
    EHR_EXTENSION_CONTEXT = 321,
    /* the url of an extension is not that of an extension */
    EHR_EXTENSION_URL = 322,
    /* the definition of the extension has no part of that url */
    EHR_EXTENSION_PART = 323,
    /* an extension that changes meaning, and one that does not, have their own places */
    EHR_EXTENSION_MODIFIER = 324,
    /* the code is not in the value set that the profile requires */
    EHR_BINDING_REQUIRED = 330,
    /* the code is not in the extensible value set of the profile */
    EHR_BINDING_EXTENSIBLE = 331,
    /* the code is not in the value set that the profile prefers */
    EHR_BINDING_PREFERRED = 332,
    /* nobody here can tell whether the code is in the required value set */
    EHR_BINDING_UNCHECKED = 333,
    /* the code system does not have the code */
    EHR_CODE_NOT_IN_SYSTEM = 334,
    /* the display is none that the code system has for the code */
    EHR_DISPLAY_WRONG = 335,
    /* the system of a code is not that of a code system */
    EHR_CODING_SYSTEM = 336,
    /* a discriminator names no element of what is sliced */
    EHR_DISCRIMINATOR_PATH = 337,
    /* the record needs more steps than the limit; it was checked in part */
    EHR_VALIDATION_LIMIT = 340,
    /* the file is no validator that was kept on disk, or not a whole one */
    EHR_COMPILED_UNREADABLE = 341,
    /* another version of the library kept the validator; make it again from its packages */
    EHR_COMPILED_VERSION = 342,
    /* the questionnaire is not loaded, so the answers were not checked against it */
    EHR_QUESTIONNAIRE_UNKNOWN = 360,
    /* the questionnaire has no item of this linkId at this place */
    EHR_ITEM_UNKNOWN = 361,
    /* the items do not stand in the order of the questionnaire */
    EHR_ITEM_ORDER = 362,
    /* an item is answered that is not enabled */
    EHR_ITEM_DISABLED = 363,
    /* answers or items stand where the type of the item has none */
    EHR_ITEM_SHAPE = 364,
    /* a required item has no answer */
    EHR_ANSWER_MISSING = 365,
    /* there are more or fewer answers than the item allows */
    EHR_ANSWER_COUNT = 366,
    /* the answer is not of the type that the item asks for */
    EHR_ANSWER_TYPE = 367,
    /* the answer is none of those the item offers */
    EHR_ANSWER_OPTION = 368,
    /* the answer is below or above what the item allows */
    EHR_ANSWER_RANGE = 369,
    /* the unit is none of those the item allows, or cannot be compared with its limits */
    EHR_ANSWER_UNIT = 370,
    /* the answer does not have the form that the item asks for */
    EHR_ANSWER_FORM = 371,
    /* the questionnaire asks for what no response can give */
    EHR_QUESTIONNAIRE_RULE = 372,
    /* the response was written outside the time in which the questionnaire is to be used */
    EHR_QUESTIONNAIRE_DATE = 373,
    /* a formal rule of the standard (invariant) does not hold */
    EHR_INVARIANT_BROKEN = 380,
    /* a formal rule of the standard (invariant) could not be evaluated on this */
    EHR_INVARIANT_UNKNOWN = 381,
    /* the key does not open this */
    EHR_WRONG_KEY = 400,
    /* stored bytes are not what was written */
    EHR_CORRUPT = 401,
    /* stored bytes end too early */
    EHR_TRUNCATED = 402,
    /* the stored format is newer or older than this library reads */
    EHR_VERSION_UNSUPPORTED = 403,
    /* the key source did not answer */
    EHR_KEY_UNAVAILABLE = 404,
    /* the key derivation parameters are below the floor */
    EHR_KEY_WEAK = 405,
    /* the operating system gave no random bytes */
    EHR_RANDOM_UNAVAILABLE = 406,
    /* this is the only key that opens the store */
    EHR_LAST_KEY = 407,
    /* the text is not a recovery key as it was shown */
    EHR_RECOVERY_KEY_FORM = 408,
    /* the wrapped keys are older than the store they stand in front of */
    EHR_HEADER_OLD = 409,
    /* the key that wraps this was destroyed when keys were rotated */
    EHR_KEY_EPOCH_GONE = 410,
    /* the text is not a share as it was shown */
    EHR_SHARE_FORM = 411,
    /* more shares are needed */
    EHR_SHARES_TOO_FEW = 412,
    /* the shares are not of one set */
    EHR_SHARES_MIXED = 413,
    /* this store was opened by the process that this one was forked from */
    EHR_FORKED = 414,
    /* the key kept for work offline is older than it may be */
    EHR_CACHED_KEY_EXPIRED = 415,
    /* the clock says less than it did */
    EHR_CLOCK_SET_BACK = 416,
    /* this store was written anew into another file: open that one */
    EHR_STORE_MOVED = 417,
    /* the chart is gone, but what its keys were wrapped under is not destroyed yet */
    EHR_SHRED_UNFINISHED = 430,
    /* the file is older than its anchor knows, or went another way from there */
    EHR_ROLLED_BACK = 431,
    /* what remembers how far the store had come does not answer */
    EHR_ANCHOR_UNAVAILABLE = 432,
    /* the anchor of this store has nothing to say */
    EHR_ANCHOR_MISSING = 433,
    /* the anchor says what this store never wrote */
    EHR_ANCHOR_INVALID = 434,
    /* the anchor is that of another store */
    EHR_ANCHOR_OTHER = 435,
    /* another process has this store open */
    EHR_LOCKED = 500,
    /* there is already a file of that name */
    EHR_STORE_EXISTS = 501,
    /* the file is not an ehrcore store */
    EHR_NOT_A_STORE = 502,
    /* the record changed since the version named */
    EHR_CONFLICT = 503,
    /* the record was erased */
    EHR_ERASED = 504,
    /* the search is not of a form this store answers */
    EHR_QUERY_INVALID = 505,
    /* an earlier failure closed this handle; open the store again */
    EHR_POISONED = 506,
    /* the store is open for reading only */
    EHR_READ_ONLY = 507,
    /* the storage under the store refused to read or write */
    EHR_STORE_IO = 508,
    /* this thread has a change set under way in this store; writing waits for its end */
    EHR_TURN_HELD = 515,
    /* an incremental backup does not continue the one before it */
    EHR_BACKUP_CHAIN = 516,
    /* the copy is of another store */
    EHR_OTHER_STORE = 517,
    /* the copy may be older than the damaged file */
    EHR_COPY_OLDER = 518,
    /* the copy is damaged itself */
    EHR_COPY_DAMAGED = 519,
    /* what says where the pages of the file are does not open, or is not the newest */
    EHR_MAP_DAMAGED = 520,
    /* the session may not do this */
    EHR_DENIED = 600,
    /* the audit entry could not be written, so the access did not happen */
    EHR_AUDIT_UNAVAILABLE = 601,
    /* the audit log does not verify */
    EHR_AUDIT_BROKEN = 602,
    /* the call needs a purpose of use */
    EHR_PURPOSE_REQUIRED = 603,
    /* the policy cannot be read, or names something that does not exist */
    EHR_POLICY_INVALID = 610,
    /* a rule of the policy never decides */
    EHR_POLICY_UNREACHABLE = 611,
    /* a rule of the policy permits more than a rule should */
    EHR_POLICY_BROAD = 612,
    /* under the policy somebody may do nothing, or nobody may do something that has to be done */
    EHR_POLICY_IDLE = 613,
    /* emergency access takes a reason and a second factor */
    EHR_BREAK_GLASS_REFUSED = 614,
    /* the emergency access has ended */
    EHR_BREAK_GLASS_ENDED = 615,
    /* the session sees this record with elements left out, and would lose them by writing it */
    EHR_MASKED_WRITE = 616,
    /* the text is not a checkpoint of this store's audit log */
    EHR_CHECKPOINT_UNREADABLE = 630,
    /* the record does not conform; nothing was written */
    EHR_RECORD_INVALID = 700,
    /* the source is not a Bundle or NDJSON that can be read */
    EHR_BUNDLE_UNREADABLE = 701,
    /* there is no quarantined entry of that number */
    EHR_QUARANTINE_UNKNOWN = 702,
    /* another entry of its transaction cannot be stored, so none of them is */
    EHR_TRANSACTION_REFUSED = 704,
    /* the record was retracted; it changes again only after it is restored */
    EHR_RETRACTED = 800,
    /* a change of an entry needs its reason */
    EHR_REASON_REQUIRED = 801,
    /* a legal hold covers this; it names whom to ask */
    EHR_HOLD = 802,
    /* what was there is changed or gone: that is no addition */
    EHR_AUGMENT_ALTERS = 803,
    /* there is no conflict of that number that waits to be settled */
    EHR_CONFLICT_UNKNOWN = 804,
    /* there is no request of that number for this session */
    EHR_REQUEST_UNKNOWN = 805,
    /* the request is not in a state in which this may be done */
    EHR_REQUEST_STATE = 806,
    /* it has to be kept still, or no rule says how long it has to be kept */
    EHR_RETENTION_RUNNING = 807,
    /* who proposed it cannot approve it: that takes somebody else */
    EHR_SAME_PERSON = 808,
    /* there is no proposal of that number that waits */
    EHR_PROPOSAL_UNKNOWN = 809,
    /* a record of that id was destroyed; it does not come in again unseen */
    EHR_DESTROYED = 810,
    /* the library caught a defect of its own at the boundary */
    EHR_PANIC = 900,
    /* a pointer that must not be null is null */
    EHR_NULL_POINTER = 901,
    /* the handle was closed */
    EHR_HANDLE_CLOSED = 902,
};

enum ehr_severity {
    EHR_SEVERITY_FATAL = 1,
    EHR_SEVERITY_ERROR = 2,
    EHR_SEVERITY_WARNING = 3,
    EHR_SEVERITY_INFORMATION = 4
};

enum ehr_verify_level {
    EHR_VERIFY_LOG = 0,
    EHR_VERIFY_RECORDS = 1
};

enum ehr_outcome {
    EHR_OUTCOME_IN = 0,
    EHR_OUTCOME_NOT_IN = 1,
    EHR_OUTCOME_UNKNOWN = 2,
    EHR_OUTCOME_NOT_CHECKED = 3
};


/*
 Events of the audit log.
 */
typedef struct ehr_audit ehr_audit;

/*
 Says "stop" from another thread to the calls that were given it.
 */
typedef struct ehr_cancel ehr_cancel;

/*
 Details of a failed call. Holds no record content.
 */
typedef struct ehr_error ehr_error;

/*
 The codes of a value set.
 */
typedef struct ehr_expansion ehr_expansion;

/*
 A compiled expression.
 */
typedef struct ehr_fhirpath ehr_fhirpath;

/*
 What an expression gave.
 */
typedef struct ehr_fhirpath_result ehr_fhirpath_result;

/*
 What opens a store: 32 bytes, a passphrase, or the host's key management.
 */
typedef struct ehr_key ehr_key;

/*
 Texts: shares to print, or names of ways to open a store.
 */
typedef struct ehr_key_texts ehr_key_texts;

/*
 Lines of the import ledger.
 */
typedef struct ehr_ledger ehr_ledger;

/*
 Records in order: a page of a search, a history, a chart.
 */
typedef struct ehr_page ehr_page;

/*
 Entries kept aside.
 */
typedef struct ehr_quarantine ehr_quarantine;

/*
 One version of one record.
 */
typedef struct ehr_record ehr_record;

/*
 What was found in a record.
 */
typedef struct ehr_report ehr_report;

/*
 One actor, one purpose.
 */
typedef struct ehr_session ehr_session;

/*
 An open store. Released when its last session is.
 */
typedef struct ehr_store ehr_store;

/*
 Code systems, value sets and concept maps of FHIR packages, and those of R4 itself.
 */
typedef struct ehr_terminology ehr_terminology;

/*
 Text or bytes that a call made.
 */
typedef struct ehr_text ehr_text;

/*
 Codes that a concept map gives for another.
 */
typedef struct ehr_translations ehr_translations;

/*
 A validator: first packages and profiles are added, then it is built, then it validates.
 */
typedef struct ehr_validator ehr_validator;

/*
 `EHR_OK` or the number of an error code; see the enum `ehr_code`.
 */
typedef int32_t ehr_status;

/*
 UTF-8 text or bytes with a length; not terminated. `{NULL, 0}` is empty.

 As an argument it is only read during the call. As a result it stays valid until the handle it came from is released.
 */
typedef struct {
    /*
     First byte; may be NULL where `length` is 0.
     */
    const char *data;
    /*
     Number of bytes.
     */
    size_t length;
} ehr_str;

/*
 Who acts. The host answers for it having checked who this is.
 */
typedef struct {
    /*
     sizeof(ehr_actor)
     */
    size_t size;
    /*
     The host's id of the user.
     */
    ehr_str id;
    /*
     physician, nurse, caregiver, patient, coordinator, analyst or administrator.
     */
    ehr_str role;
    /*
     For a patient or caregiver: the logical id of the one patient they may see; else empty.
     */
    ehr_str patient;
    /*
     The record that stands for the actor, such as `Practitioner/17`; else empty. What follows may be left zero.
     */
    ehr_str reference;
    /*
     The organization they act for.
     */
    ehr_str organization;
    /*
     The device or address they act from.
     */
    ehr_str device;
    /*
     The program they act through.
     */
    ehr_str client;
    /*
     Somebody in whose name they act.
     */
    ehr_str on_behalf_of;
    /*
     Security labels they are cleared for beyond what the policy gives the role, with a space between.
     */
    ehr_str clearance;
    /*
     For a caregiver: until when they stand for the patient, in microseconds since 1970; 0 for no end.
     */
    int64_t until;
    /*
     1 where the host has checked a second factor.
     */
    int32_t mfa;
} ehr_actor;

/*
 One event: who, what, when, why, with what outcome; no content of any record. The texts belong to the list.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     Its number, from 0.
     */
    uint64_t sequence;
    /*
     When: microseconds since 1970-01-01T00:00:00Z.
     */
    int64_t at;
    /*
     What was done, such as `read` or `export`.
     */
    ehr_str event;
    /*
     EHR_OK, or the code it failed with.
     */
    ehr_status outcome;
    /*
     Which version; 0 for none in particular.
     */
    uint32_t version;
    /*
     The host's id of the user.
     */
    ehr_str actor;
    /*
     In which role.
     */
    ehr_str role;
    /*
     For which purpose of use.
     */
    ehr_str purpose;
    /*
     Which type of record; empty for none in particular.
     */
    ehr_str kind;
    /*
     Which record.
     */
    ehr_str id;
    /*
     How many records.
     */
    uint64_t count;
    /*
     In which session, by its random number.
     */
    uint64_t session;
    /*
     Whose record, by the patient's number in the log; 0 for none in particular.
     */
    uint32_t patient;
    /*
     Which emergency; 0 for none.
     */
    uint64_t break_glass;
    /*
     For whom the user acted, where not for themselves.
     */
    ehr_str on_behalf_of;
    /*
     Through which program.
     */
    ehr_str client;
    /*
     From which device.
     */
    ehr_str device;
    /*
     Of a disclosure: to whom.
     */
    ehr_str recipient;
    /*
     Why, in words.
     */
    ehr_str reason;
    /*
     What was asked; of a disclosure, what was disclosed.
     */
    ehr_str query;
    /*
     Whose records, where more than one patient's: their numbers in the log, ascending. They belong to the list.
     */
    const uint32_t *patients;
    /*
     How many those are.
     */
    size_t patient_count;
    /*
     The change set that was written; 0 for none.
     */
    uint64_t change_set;
    /*
     The number of the policy that was in force.
     */
    uint32_t policy;
    /*
     The rule of it that decided, by its number; 0 for the built-in table, or several.
     */
    uint32_t rule;
    /*
     The security labels that mattered, as codes with a space between.
     */
    ehr_str labels;
    /*
     `normal`, `substance-use` or `psychotherapy-notes`.
     */
    ehr_str compartment;
} ehr_audit_event;

/*
 Told how many of how many pages or patients are done; 0 goes on, anything else cancels.
 */
typedef int32_t (*ehr_steps)(void *context, uint64_t done, uint64_t of);

/*
 What a copy took.
 */
typedef struct {
    /*
     sizeof(ehr_copied), set by the caller.
     */
    size_t size;
    /*
     Pages of the store.
     */
    uint64_t pages;
    /*
     Pages that were copied.
     */
    uint64_t copied;
    /*
     0 for a full copy, else its number in the chain.
     */
    uint32_t number;
} ehr_copied;

/*
 What a check looked at and found.
 */
typedef struct {
    /*
     sizeof(ehr_check_report), set by the caller.
     */
    size_t size;
    /*
     Patients.
     */
    uint64_t patients;
    /*
     Current records.
     */
    uint64_t records;
    /*
     Versions of records.
     */
    uint64_t versions;
    /*
     Audit events.
     */
    uint64_t events;
    /*
     Entries of indexes that were compared with the records.
     */
    uint64_t entries;
    /*
     Places that are not as they were left; 0 where all is sound.
     */
    uint64_t found;
} ehr_check_report;

/*
 What a host knows of codes that no package has, such as those of SNOMED CT or LOINC. Packages are asked first. Both calls
 may come from any thread and must answer by themselves: there is no time limit here. They are given codes out of records.
 */
typedef struct {
    /*
     sizeof(ehr_code_source)
     */
    size_t size;
    /*
     Given back with each call.
     */
    void *context;
    /*
     Whether a code is in a value set, or in its code system where `value_set` is empty: 1 it is, 0 it is not, -1 not known.
     What is empty was not given.
     */
    int32_t (*validate_code)(void *context,
                             ehr_str value_set,
                             ehr_str system,
                             ehr_str version,
                             ehr_str code,
                             ehr_str display);
    /*
     How code `a` relates to code `b`: 0 the same, 1 more general, 2 more special, 3 neither, -1 not known. May be NULL.
     */
    int32_t (*subsumes)(void *context, ehr_str system, ehr_str version, ehr_str a, ehr_str b);
} ehr_code_source;

/*
 One code that a concept map gives. The texts belong to the ehr_translations.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     How near it is, in FHIR's word: `equivalent`, `wider`, `inexact` and so on.
     */
    ehr_str equivalence;
    /*
     The system it is in; empty where none is named.
     */
    ehr_str system;
    /*
     The code.
     */
    ehr_str code;
    /*
     The text for it; empty where there is none.
     */
    ehr_str display;
} ehr_translation;

/*
 One finding about a record. The texts belong to the error or report it was read from.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     `EHR_SEVERITY_*`: 1 fatal, 2 error, 3 warning, 4 information.
     */
    int32_t severity;
    /*
     The stable code: one of `enum ehr_code`.
     */
    ehr_status code;
    /*
     Line, from 1; 0 where there is none.
     */
    uint32_t line;
    /*
     Column in bytes, from 1; 0 where there is none.
     */
    uint32_t column;
    /*
     Element path, such as `Patient.name[0].family`.
     */
    ehr_str path;
    /*
     What was expected, in one sentence.
     */
    ehr_str message;
    /*
     The canonical URL of the profile it comes from; empty where it comes from R4 itself.
     */
    ehr_str profile;
    /*
     The rule it comes from: the key of an invariant, the name of a slice, the URL of a value set; empty for none.
     */
    ehr_str rule;
} ehr_issue;

/*
 One item of a result.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     Its type: `HumanName`, `code` and so on for elements of the resource, `String`, `Quantity` and so on for values.
     */
    ehr_str type_name;
    /*
     The item as JSON.
     */
    ehr_str json;
    /*
     The path of an element, such as `Patient.name[0].family`; empty for a value.
     */
    ehr_str path;
} ehr_fhirpath_item;

/*
 What became of one entry of one source. The texts belong to the ledger it was read from.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     The import source.
     */
    uint32_t source;
    /*
     The entry of a Bundle or line of an NDJSON file, from 1.
     */
    uint32_t entry;
    /*
     Where it starts in the source, in bytes.
     */
    uint64_t offset;
    /*
     stored, unchanged, quarantined or refused.
     */
    ehr_str fate;
    /*
     Why it was not stored: one of `enum ehr_code`; EHR_OK where it was.
     */
    ehr_status reason;
    /*
     The version it became or equals; 0 where it was not stored.
     */
    uint32_t version;
    /*
     Type of the record; empty where there is none.
     */
    ehr_str kind;
    /*
     Id of the record.
     */
    ehr_str id;
    /*
     1 where the import gave the id because the record had none.
     */
    int32_t id_assigned;
} ehr_ledger_line;

/*
 An entry kept aside. The bytes belong to the list it was read from.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     Its number, for ehr_session_release().
     */
    uint64_t number;
    /*
     The import source.
     */
    uint32_t source;
    /*
     The entry in it, from 1.
     */
    uint32_t entry;
    /*
     How many findings it has.
     */
    size_t issue_count;
    /*
     Its bytes, word for word.
     */
    ehr_str bytes;
} ehr_quarantined;

/*
 How often the keys of a store were rotated.
 */
typedef struct {
    /*
     sizeof(ehr_key_status), set by the caller.
     */
    size_t size;
    /*
     Which root it is: 1 for the first, one more with each rotation.
     */
    uint32_t root_epoch;
    /*
     How often the ways to open the store or its roots were changed, the first included.
     */
    uint32_t revision;
} ehr_key_status;

/*
 What protects a store.
 */
typedef struct {
    /*
     sizeof(ehr_security_status), set by the caller.
     */
    size_t size;
    /*
     The cryptographic provider, such as `ring`. Lives as long as the library.
     */
    ehr_str provider;
    /*
     Whether records are sealed with a key per patient.
     */
    bool key_per_patient;
    /*
     Whether whole pages of the file are sealed too.
     */
    bool pages_sealed;
    /*
     Whether an older copy of the file put back would be noticed.
     */
    bool rollback_protected;
    /*
     Whether a key or bytes of something that was destroyed are in the file still; a check and the next opening try again.
     */
    bool shred_unfinished;
} ehr_security_status;

/*
 Told what is missing: `what` is 1 for the key of a compartment, 2 for a block of versions, 3 for the newest version of a record, 4 for a record
 of which nothing was found; the number of the patient, and that of the compartment or of the block.
 */
typedef void (*ehr_missing)(void *context, int32_t what, uint32_t patient, uint64_t row);

/*
 What was got out of a damaged store. Where `records_known`: records = current + retracted + deleted + hidden + lost; where `blocks_known`:
 blocks = opened + blocks_lost.
 */
typedef struct {
    /*
     sizeof(ehr_salvaged), set by the caller.
     */
    size_t size;
    /*
     Pages of the store, and those that do not open.
     */
    uint64_t pages;
    /*
     Pages that do not open.
     */
    uint64_t pages_lost;
    /*
     How many records there were, where that is known.
     */
    uint64_t records;
    /*
     How many blocks of versions there were, where that is known.
     */
    uint64_t blocks;
    /*
     Records whose newest version was found.
     */
    uint64_t current;
    /*
     Records whose newest version was found and hides them.
     */
    uint64_t retracted;
    /*
     Records whose newest version was found and says that they are deleted.
     */
    uint64_t deleted;
    /*
     Records of which a later version is lost, or may be: not given as current.
     */
    uint64_t hidden;
    /*
     Records of which nothing was found.
     */
    uint64_t lost;
    /*
     Versions that were found.
     */
    uint64_t versions;
    /*
     Blocks that opened.
     */
    uint64_t opened;
    /*
     Blocks that are lost.
     */
    uint64_t blocks_lost;
    /*
     Records that were written: lines, or records in the new store that can be read.
     */
    uint64_t written;
    /*
     Whether `records` is known.
     */
    int32_t records_known;
    /*
     Whether `blocks` is known.
     */
    int32_t blocks_known;
    /*
     Whether nothing at all is missing.
     */
    int32_t whole;
} ehr_salvaged;

/*
 What an import did; stored + unchanged + quarantined + refused = entries.
 */
typedef struct {
    /*
     sizeof(ehr_import_report), set by the caller.
     */
    size_t size;
    uint64_t sources;
    uint64_t entries;
    uint64_t stored;
    uint64_t unchanged;
    uint64_t quarantined;
    uint64_t refused;
} ehr_import_report;

/*
 What was verified.
 */
typedef struct {
    /*
     sizeof(ehr_verify_report), set by the caller.
     */
    size_t size;
    uint64_t events;
    uint64_t records;
    uint64_t patients;
    /*
     Of the current records, those that the event of the change set that wrote them vouches for.
     */
    uint64_t matched;
    /*
     Change sets that cannot be held against their events any more, because part of them was lost in damage that is on record.
     */
    uint64_t unmatched;
} ehr_verify_report;

/*
 What remembers, outside the store, how far it had come. Either `file` is set, or `load` and `store`, which give 0 on success and may be
 called from any thread; what they keep is sealed. They must not call anything with the store: it waits for them.
 */
typedef struct {
    /*
     sizeof(ehr_anchor)
     */
    size_t size;
    /*
     A file that is replaced whole; length 0 for none. Keep it on another machine or medium than the store.
     */
    ehr_str file;
    /*
     Given back with each call.
     */
    void *context;
    /*
     Writes the note that was kept last, at most `capacity` bytes, and its length to `*length`: 0 where there never was one.
     */
    int32_t (*load)(void *context, uint8_t *note, size_t capacity, size_t *length);
    /*
     Keeps a note in place of the one before, durably.
     */
    int32_t (*store)(void *context, ehr_str note);
    /*
     A note after so many commits; 0 and 1: after each.
     */
    uint64_t every;
    /*
     Not 0: while the anchor does not take a note, nothing more is written.
     */
    int32_t strict;
    /*
     Not 0: the store has no anchor yet, and the first note is made now.
     */
    int32_t begin;
    /*
     Goes on with a file that is behind the anchor, as after a restore; the reason, for the audit log. Length 0: such a file does not
     open.
     */
    ehr_str accept_older;
} ehr_anchor;

/*
 A file and its anchor, compared.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     Change sets in the file.
     */
    uint64_t file_commits;
    /*
     Change sets that the anchor knows of.
     */
    uint64_t anchor_commits;
    /*
     Events of the audit log in the file.
     */
    uint64_t file_events;
    /*
     Events of the audit log that the anchor knows of.
     */
    uint64_t anchor_events;
    /*
     1 where the file is older than its anchor, or went another way from there.
     */
    int32_t rolled_back;
} ehr_anchor_report;

/*
 A host's key management. Both calls give 0 on success. EHR_WRONG_KEY says that it refuses (the key was revoked or is no more): it is
 reported as such, and a root that ehr_key_cached() kept is thrown away. Anything else says that it did not answer and is reported as
 EHR_KEY_UNAVAILABLE: a root that was kept goes on opening the store. So a host that revokes must tell the two apart.

 `associated` names the store and must be authenticated with what is wrapped.
 */
typedef struct {
    /*
     sizeof(ehr_key_source)
     */
    size_t size;
    /*
     Given back with each call.
     */
    void *context;
    /*
     Wraps the 32 bytes at `root`: writes at most `capacity` bytes to `wrapped` and their number to `*length`.
     */
    int32_t (*wrap)(void *context,
                    ehr_str associated,
                    const uint8_t *root,
                    uint8_t *wrapped,
                    size_t capacity,
                    size_t *length);
    /*
     Unwraps: writes 32 bytes to `root`.
     */
    int32_t (*unwrap)(void *context, ehr_str associated, ehr_str wrapped, uint8_t *root);
} ehr_key_source;

/*
 What was found about a code.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     `EHR_OUTCOME_*`: 0 in, 1 not in the value set, 2 not a code of its system, 3 not checked: nobody here can tell.
     */
    int32_t outcome;
    /*
     1 where the display given is none that the code system or the value set has.
     */
    int32_t display_wrong;
    /*
     1 where the code is no longer in use.
     */
    int32_t inactive;
    /*
     1 where the code only groups others and should not be used by itself.
     */
    int32_t is_abstract;
} ehr_code_check;

/*
 One code of an expansion. The texts belong to the expansion.
 */
typedef struct {
    /*
     How much of it was filled, in bytes: the smaller of the size that was given and that which this library knows.
     */
    size_t size;
    /*
     The code system; empty where none is named.
     */
    ehr_str system;
    /*
     The code.
     */
    ehr_str code;
    /*
     The text for it; empty where there is none.
     */
    ehr_str display;
    /*
     1 where the code is no longer in use.
     */
    int32_t inactive;
    /*
     1 where the code only groups others.
     */
    int32_t is_abstract;
} ehr_code_entry;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Looks a policy over, TOML or JSON: gives a JSON list of `code`, `place` and `message`, empty where there is nothing to look at.

 Ownership: on EHR_OK, `*findings_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_POLICY_INVALID, with the place in the error's path.
 */
EHR_API
ehr_status ehr_policy_check(ehr_str policy,
                            ehr_text **findings_out,
                            ehr_error **error_out);

/*
 The policy in force, as the text it was read from, and its number: how many were put in place before it.

 Ownership: on EHR_OK, `*policy_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_DENIED, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_policy(const ehr_session *session,
                              ehr_text **policy_out,
                              uint32_t *number_out,
                              ehr_error **error_out);

/*
 Puts a policy in place, TOML or JSON, for every session from its next call on; gives its number.

 Errors:    EHR_POLICY_INVALID, EHR_DENIED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_set_policy(const ehr_session *session,
                                  ehr_str policy,
                                  uint32_t *number_out,
                                  ehr_error **error_out);

/*
 What an actor would be told for an action on a record (`kind_name` and `id` empty: on none in particular), and why, as JSON:
 `permitted`, `cause`, `rule`, `near`.

 Ownership: on EHR_OK, `*explanation_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_DENIED, EHR_NOT_FOUND, EHR_INVALID_ARGUMENT, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_explain(const ehr_session *session,
                               const ehr_actor *who,
                               ehr_str purpose,
                               ehr_str action,
                               ehr_str kind_name,
                               ehr_str id,
                               ehr_text **explanation_out,
                               ehr_error **error_out);

/*
 Emergency access to one patient, to look, for 30 minutes: on record, with its reason, when this returns.

 Ownership: on EHR_OK, `*session_out` is the caller's; release it with ehr_session_free().
 Errors:    EHR_BREAK_GLASS_REFUSED, EHR_DENIED, EHR_NOT_FOUND, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_break_glass(const ehr_session *session,
                                   ehr_str patient,
                                   ehr_str reason,
                                   ehr_session **session_out,
                                   ehr_error **error_out);

/*
 Says that the actor takes care of a patient, for as long as the session is open; it is recorded.

 Errors:    EHR_AUDIT_UNAVAILABLE, EHR_DENIED.
 */
EHR_API ehr_status ehr_session_relate(const ehr_session *session, ehr_str patient, ehr_error **error_out);

/*
 Says who is told of emergency access from now on, with texts that are there during the call; NULL for nobody. Function and
 context are used from any thread until the store is closed; the function must not throw.

 Errors:    EHR_HANDLE_CLOSED.
 */
EHR_API
ehr_status ehr_store_on_emergency(const ehr_store *store,
                                  void (*call)(void *context,
                                               ehr_str actor,
                                               ehr_str patient,
                                               ehr_str reason,
                                               uint64_t reference),
                                  void *context,
                                  ehr_error **error_out);

/*
 At most `count` events from number `from` on. Needs an administrator.

 Ownership: on EHR_OK, `*audit_out` is the caller's; release it with ehr_audit_free().
 Errors:    EHR_DENIED, EHR_AUDIT_BROKEN, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_audit(const ehr_session *session,
                             uint64_t from,
                             size_t count,
                             ehr_audit **audit_out,
                             ehr_error **error_out);

/*
 How many events there are in the list.
 */
EHR_API size_t ehr_audit_count(const ehr_audit *audit);

/*
 Reads one event, from 0, into `*event_out`, of which `size` is the sizeof. Ownership: its texts belong to `audit`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_audit_read(const ehr_audit *audit,
                          size_t index,
                          ehr_audit_event *event_out,
                          size_t size);

/*
 Releases a list of events. NULL is fine.
 */
EHR_API void ehr_audit_free(ehr_audit *audit);

/*
 A report: `about` is `patient`, `user`, `emergencies` or `disclosures` (45 CFR 164.528, six years), `whom` the patient's id (or `#`
 and their number in the log) or the user; `form` is `text`, `json` or `csv`. Needs an administrator.

 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_DENIED, EHR_NOT_FOUND, EHR_INVALID_ARGUMENT, EHR_AUDIT_BROKEN.
 */
EHR_API
ehr_status ehr_session_audit_report(const ehr_session *session,
                                    ehr_str about,
                                    ehr_str whom,
                                    ehr_str form,
                                    ehr_text **text_out,
                                    ehr_error **error_out);

/*
 Writes the events from `from` on to an existing folder for somebody who has neither the library nor the store: `audit.ndjson`,
 `checkpoint.txt` and, where `since` is a checkpoint kept outside, `consistency.txt`. verify_audit.py checks them.
 `*events_out` is how many there were. Needs an administrator.

 Errors: EHR_DENIED, EHR_NOT_FOUND, EHR_AUDIT_BROKEN, EHR_CHECKPOINT_UNREADABLE, EHR_IO.
 */
EHR_API
ehr_status ehr_session_audit_export(const ehr_session *session,
                                    ehr_str folder,
                                    uint64_t from,
                                    ehr_str since,
                                    uint64_t *events_out,
                                    ehr_error **error_out);

/*
 One event as a FHIR AuditEvent (IHE BALP), with what proves it against the signed head. Needs an administrator.

 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_DENIED, EHR_NOT_FOUND, EHR_AUDIT_BROKEN.
 */
EHR_API
ehr_status ehr_session_audit_event(const ehr_session *session,
                                   uint64_t sequence,
                                   ehr_text **text_out,
                                   ehr_error **error_out);

/*
 Records that a patient's records were given to somebody outside, for the accounting of disclosures. `ground` is that of 45 CFR
 164.502 to 164.514, such as `public-health`, `judicial` or `treatment`. Call it before anything is sent.

 Errors: EHR_DENIED, EHR_NOT_FOUND, EHR_INVALID_ARGUMENT, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_disclose(const ehr_session *session,
                                ehr_str patient,
                                ehr_str recipient,
                                ehr_str ground,
                                ehr_str content,
                                ehr_str purpose,
                                ehr_error **error_out);

/*
 The head of the audit log as a signed note (C2SP checkpoint), to be kept outside, and the 32 bytes of the key that verifies it;
 `public_key_out` may be NULL. A log with no events gives an empty text.

 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_AUDIT_BROKEN, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_store_audit_checkpoint(const ehr_store *store,
                                      ehr_text **text_out,
                                      uint8_t *public_key_out,
                                      ehr_error **error_out);

/*
 Makes a token that cancels calls. Release with ehr_cancel_free().
 */
EHR_API ehr_status ehr_cancel_new(ehr_cancel **cancel_out, ehr_error **error_out);

/*
 Cancels the calls that have this token: they end with EHR_CANCELLED.
 */
EHR_API ehr_status ehr_cancel_now(const ehr_cancel *cancel, ehr_error **error_out);

/*
 Releases a token. NULL is fine.
 */
EHR_API void ehr_cancel_free(ehr_cancel *cancel);

/*
 Sets how long each call of the session may take from now on in milliseconds, how many bytes of records it may hold, and what cancels it.
 0 and NULL are no limit. Calls end with EHR_DEADLINE, EHR_LIMIT_MEMORY or EHR_CANCELLED and leave nothing half done.
 */
EHR_API
ehr_status ehr_session_limit(const ehr_session *session,
                             uint64_t milliseconds,
                             size_t memory,
                             const ehr_cancel *cancel,
                             ehr_error **error_out);

/*
 Copies the store to a new file while others read and write: a store of its own under the same keys. With `earlier`, a copy made before that
 `key` opens: only what is new since; else both are empty. `steps` may be NULL, `copied_out` too. Needs an administrator.

 Errors: EHR_DENIED, EHR_STORE_EXISTS, EHR_OTHER_STORE, EHR_CORRUPT, EHR_CANCELLED, EHR_DEADLINE, EHR_IO; then there is no file.
 */
EHR_API
ehr_status ehr_session_backup(const ehr_session *session,
                              ehr_str file,
                              ehr_str earlier,
                              const ehr_key *key,
                              ehr_steps steps,
                              void *context,
                              ehr_copied *copied,
                              ehr_error **error_out);

/*
 Looks at everything of a store. What is damaged is no error: see `found`. Needs an administrator.

 Errors: EHR_DENIED, EHR_CANCELLED, EHR_DEADLINE, EHR_STORE_IO.
 */
EHR_API ehr_status ehr_session_check(const ehr_session *session, ehr_check_report *report_out, ehr_error **error_out);

/*
 Puts a full copy and the `count` - 1 increments that follow it together to a store in a new file. `copied` may be NULL.

 Errors: EHR_BACKUP_CHAIN, EHR_OTHER_STORE, EHR_CORRUPT, EHR_TRUNCATED, EHR_STORE_EXISTS, EHR_WRONG_KEY, EHR_IO; then there is no file.
 */
EHR_API
ehr_status ehr_restore(const ehr_str *chain,
                       size_t count,
                       ehr_str into,
                       const ehr_key *key,
                       ehr_copied *copied,
                       ehr_error **error_out);

/*
 Makes a damaged store whole in a new file with `count` good copies of it, and checks it; the damaged file stays as it is. `allow_older`, if
 not 0: where its map cannot be read, a copy that may be older takes its place. `from_copies_out` receives how many pages came from copies.

 Errors: EHR_CORRUPT, EHR_COPY_OLDER, EHR_COPY_DAMAGED, EHR_OTHER_STORE, EHR_STORE_EXISTS, EHR_WRONG_KEY, EHR_IO; then there is no file.
 */
EHR_API
ehr_status ehr_repair(ehr_str damaged,
                      const ehr_str *copies,
                      size_t count,
                      ehr_str into,
                      int32_t allow_older,
                      ehr_str actor,
                      const ehr_key *key,
                      uint64_t *from_copies_out,
                      ehr_error **error_out);

/*
 As ehr_terminology_open(), with a source of the host's. `*source` is copied; its `context` must live as long as the
 terminology.

 Errors:    as ehr_terminology_open(). EHR_INVALID_ARGUMENT: size or validate_code is not set.
 */
EHR_API
ehr_status ehr_terminology_open_with(const ehr_str *packages,
                                     size_t count,
                                     const ehr_code_source *source,
                                     ehr_terminology **terminology_out,
                                     ehr_error **error_out);

/*
 Asks this source for codes that the packages do not know. `*source` is copied; its `context` must live as long as the
 validator.

 Errors:    EHR_INVALID_ARGUMENT: the validator is built already, or size or validate_code is not set.
 */
EHR_API
ehr_status ehr_validator_add_source(ehr_validator *validator,
                                    const ehr_code_source *source,
                                    ehr_error **error_out);

/*
 What a concept map (`url` or `url|version`) gives for a code, in the order of the map. `system` may be empty.

 Ownership: on EHR_OK, `*translations_out` is the caller's, also where it is empty; release it with ehr_translations_free().
 Errors:    EHR_CONCEPT_MAP_UNKNOWN: no package has the map.
 */
EHR_API
ehr_status ehr_terminology_translate(const ehr_terminology *terminology,
                                     ehr_str concept_map,
                                     ehr_str system,
                                     ehr_str code,
                                     ehr_translations **translations_out,
                                     ehr_error **error_out);

/*
 How many there are.
 */
EHR_API size_t ehr_translations_count(const ehr_translations *translations);

/*
 Reads one into `*entry_out`, of which `size` is the sizeof. Ownership: its texts belong to `translations`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_translations_entry(const ehr_translations *translations,
                                  size_t index,
                                  ehr_translation *entry_out,
                                  size_t size);

/*
 Releases them. NULL is fine.
 */
EHR_API void ehr_translations_free(ehr_translations *translations);

/*
 The code of an error, one of `enum ehr_code`; 0 where `error` is not an open error.
 */
EHR_API ehr_status ehr_error_code(const ehr_error *error);

/*
 The whole message in one sentence: where, what was expected, what was found. Never record content.

 Ownership: the text belongs to `error`.
 */
EHR_API ehr_str ehr_error_message(const ehr_error *error);

/*
 The element path the error is about; empty where there is none. Ownership: the text belongs to `error`.
 */
EHR_API ehr_str ehr_error_path(const ehr_error *error);

/*
 Whom to ask about a refusal (EHR_HOLD), in the words of whoever placed the hold; empty where nobody is named. Do not log it.
 Ownership: the text belongs to `error`.
 */
EHR_API
ehr_str ehr_error_whom_to_ask(const ehr_error *error);

/*
 The line the error is about, from 1; 0 where there is none.
 */
EHR_API uint32_t ehr_error_line(const ehr_error *error);

/*
 The column in bytes the error is about, from 1; 0 where there is none.
 */
EHR_API uint32_t ehr_error_column(const ehr_error *error);

/*
 How many findings led to an `EHR_RECORD_INVALID`.
 */
EHR_API size_t ehr_error_issue_count(const ehr_error *error);

/*
 Reads one finding of an `EHR_RECORD_INVALID` into `*issue`, of which `size` is the sizeof.

 Ownership: the texts in `*issue` belong to `error`.
 Errors:    EHR_NOT_FOUND where `index` is not less than ehr_error_issue_count().
 */
EHR_API ehr_status ehr_error_issue(const ehr_error *error, size_t index, ehr_issue *issue, size_t size);

/*
 Releases an error. NULL is fine.
 */
EHR_API void ehr_error_free(ehr_error *error);

/*
 The stable name of a status, such as `not-found`; empty for a number that is none. The text lives for ever.
 */
EHR_API ehr_str ehr_status_name(ehr_status status);

/*
 One sentence on what a status means; empty for a number that is none. The text lives for ever.
 */
EHR_API ehr_str ehr_status_sentence(ehr_status status);

/*
 How to mend what a status says, in a sentence or two; empty for a number that is none. The text lives for ever.
 */
EHR_API ehr_str ehr_status_mend(ehr_status status);

/*
 Compiles an expression.

 Ownership: on EHR_OK, `*expression_out` is the caller's; release it with ehr_fhirpath_free().
 Errors:    EHR_FHIRPATH_*, with the column where it is wrong.
 */
EHR_API ehr_status ehr_fhirpath_compile(ehr_str text, ehr_fhirpath **expression_out, ehr_error **error_out);

/*
 Evaluates an expression over one FHIR R4 resource, JSON or XML.

 Ownership: on EHR_OK, `*result_out` is the caller's; release it with ehr_fhirpath_result_free().
 Errors:    EHR_FHIRPATH_*: the expression met what it cannot take, or a limit; EHR_JSON_*, EHR_XML_*, EHR_LIMIT_*.
 */
EHR_API
ehr_status ehr_fhirpath_evaluate(const ehr_fhirpath *expression,
                                 ehr_str resource,
                                 ehr_fhirpath_result **result_out,
                                 ehr_error **error_out);

/*
 How many items a result has.
 */
EHR_API size_t ehr_fhirpath_count(const ehr_fhirpath_result *result);

/*
 Reads one item, from 0, into `*item`, of which `size` is the sizeof. Ownership: its texts belong to `result`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_fhirpath_item_at(const ehr_fhirpath_result *result,
                                size_t index,
                                ehr_fhirpath_item *item,
                                size_t size);

/*
 Releases a result. NULL is fine.
 */
EHR_API void ehr_fhirpath_result_free(ehr_fhirpath_result *result);

/*
 Releases an expression. NULL is fine.
 */
EHR_API void ehr_fhirpath_free(ehr_fhirpath *expression);

/*
 What became of every entry of every import, in order. Needs an administrator.

 Ownership: on EHR_OK, `*ledger_out` is the caller's; release it with ehr_ledger_free().
 Errors:    EHR_DENIED, EHR_STORE_IO.
 */
EHR_API ehr_status ehr_session_ledger(const ehr_session *session, ehr_ledger **ledger_out, ehr_error **error_out);

/*
 How many lines there are.
 */
EHR_API size_t ehr_ledger_count(const ehr_ledger *ledger);

/*
 Reads one line, from 0, into `*line_out`, of which `size` is the sizeof. Ownership: its texts belong to `ledger`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_ledger_read(const ehr_ledger *ledger,
                           size_t index,
                           ehr_ledger_line *line_out,
                           size_t size);

/*
 Releases a ledger. NULL is fine.
 */
EHR_API void ehr_ledger_free(ehr_ledger *ledger);

/*
 The entries kept aside. Needs an administrator.

 Ownership: on EHR_OK, `*quarantine_out` is the caller's; release it with ehr_quarantine_free().
 Errors:    EHR_DENIED, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_quarantine(const ehr_session *session,
                                  ehr_quarantine **quarantine_out,
                                  ehr_error **error_out);

/*
 How many entries there are.
 */
EHR_API size_t ehr_quarantine_count(const ehr_quarantine *quarantine);

/*
 Reads one entry, from 0, into `*entry_out`, of which `size` is the sizeof. Ownership: its bytes belong to `quarantine`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_quarantine_read(const ehr_quarantine *quarantine,
                               size_t index,
                               ehr_quarantined *entry_out,
                               size_t size);

/*
 Reads one finding of one entry into `*issue`, of which `size` is the sizeof. Ownership: its texts belong to `quarantine`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_quarantine_issue(const ehr_quarantine *quarantine,
                                size_t index,
                                size_t issue_index,
                                ehr_issue *issue,
                                size_t size);

/*
 Releases the list; the entries stay in quarantine. NULL is fine.
 */
EHR_API void ehr_quarantine_free(ehr_quarantine *quarantine);

/*
 Stores an entry of the quarantine: `mended`, or where that is empty, what was kept. It leaves the quarantine.

 Errors: EHR_QUARANTINE_UNKNOWN; EHR_RECORD_INVALID with findings in the error: it stays where it is.
 */
EHR_API
ehr_status ehr_session_release(const ehr_session *session,
                               uint64_t number,
                               ehr_str mended,
                               ehr_error **error_out);

/*
 Makes a recovery key: 32 random bytes to print and lock away. `*text_out` is what to print.

 Ownership: on EHR_OK both results are the caller's; release them with ehr_key_free() and ehr_text_free(). The text is not wiped
            by ehr_text_free(): print it and end the program.
 Errors:    EHR_RANDOM_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_key_recovery_new(ehr_key **key_out,
                                ehr_text **text_out,
                                ehr_error **error_out);

/*
 The recovery key that was printed as `digits`; spaces, hyphens and small letters do not matter. Release with ehr_key_free().

 Errors: EHR_RECOVERY_KEY_FORM where a digit is missing or wrong.
 */
EHR_API
ehr_status ehr_key_recovery(ehr_str digits,
                            ehr_key **key_out,
                            ehr_error **error_out);

/*
 Makes a random key and splits it into `of` shares to print, any `needed` of which give it again.

 Ownership: on EHR_OK both results are the caller's; release them with ehr_key_free() and ehr_key_texts_free().
 Errors:    EHR_INVALID_ARGUMENT unless 2 <= needed <= of; EHR_RANDOM_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_key_split(uint8_t needed,
                         uint8_t of,
                         ehr_key **key_out,
                         ehr_key_texts **shares_out,
                         ehr_error **error_out);

/*
 Puts `count` shares together that were printed. Release with ehr_key_free().

 Errors: EHR_SHARE_FORM where a digit is missing or wrong; EHR_SHARES_TOO_FEW; EHR_SHARES_MIXED where they are not of one set.
 */
EHR_API
ehr_status ehr_key_join(const ehr_str *shares,
                        size_t count,
                        ehr_key **key_out,
                        ehr_error **error_out);

/*
 `key`, waited for at most `milliseconds` each time; then EHR_KEY_UNAVAILABLE. The host's calls run on a thread of the library;
 one that never comes back is left to itself, so `context` of an ehr_key_source must stay valid for it.

 Ownership: on EHR_OK, `*key_out` is the caller's; release it with ehr_key_free(). `key` may be released before it.
 */
EHR_API
ehr_status ehr_key_deadline(const ehr_key *key,
                            uint64_t milliseconds,
                            ehr_key **key_out,
                            ehr_error **error_out);

/*
 `key`, with what it answered last kept in `file` for at most `seconds`, sealed under the 32 bytes of `device`: the store opens
 with that while `key` does not answer.

 Ownership: as ehr_key_deadline().
 Errors:    EHR_INVALID_ARGUMENT where `device` has not 32 bytes. Opening a store with it also gives EHR_CACHED_KEY_EXPIRED and
            EHR_CLOCK_SET_BACK.
 */
EHR_API
ehr_status ehr_key_cached(const ehr_key *key,
                          ehr_str device,
                          ehr_str file,
                          uint64_t seconds,
                          ehr_key **key_out,
                          ehr_error **error_out);

/*
 How many texts there are.
 */
EHR_API size_t ehr_key_texts_count(const ehr_key_texts *texts);

/*
 One text, from 0; empty where there is none of that number. Ownership: it belongs to `texts`.
 */
EHR_API ehr_str ehr_key_texts_get(const ehr_key_texts *texts, size_t index);

/*
 Releases texts and wipes them. NULL is fine.
 */
EHR_API void ehr_key_texts_free(ehr_key_texts *texts);

/*
 The names of the ways to open the store, and how often its keys were rotated. Needs an administrator.

 Ownership: on EHR_OK, `*names_out` is the caller's; release it with ehr_key_texts_free().
 Errors:    EHR_DENIED; EHR_INVALID_ARGUMENT where `status_out->size` is not set.
 */
EHR_API
ehr_status ehr_session_key_status(const ehr_session *session,
                                  ehr_key_status *status_out,
                                  ehr_key_texts **names_out,
                                  ehr_error **error_out);

/*
 Adds a way to open the store, or puts another in place of the one of the same name. `current` is one that opens it now. A copy
 of the file that was made before opens as it did before. Needs an administrator.

 Errors: EHR_DENIED; EHR_WRONG_KEY where `current` does not open the store; EHR_INVALID_ARGUMENT where there is no room for it;
         EHR_KEY_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_put_key(const ehr_session *session,
                               const ehr_key *current,
                               const ehr_key *added,
                               ehr_error **error_out);

/*
 Takes the way of that name to open the store away. `current` is one that opens it now. Needs an administrator.

 Errors: EHR_DENIED; EHR_WRONG_KEY; EHR_NOT_FOUND; EHR_LAST_KEY where there is no other.
 */
EHR_API
ehr_status ehr_session_remove_key(const ehr_session *session,
                                  const ehr_key *current,
                                  ehr_str name,
                                  ehr_error **error_out);

/*
 Makes another root: from then on exactly the `count` keys at `sources` open the store. `current` is one that opens it now, and
 may be among them. A copy of the file that was made before opens with its old keys only. Needs an administrator.

 Ownership: on EHR_OK, `*dropped_out` has the names of the ways that open the store no more; release it with ehr_key_texts_free().
 Errors:    EHR_DENIED; EHR_WRONG_KEY; EHR_LAST_KEY where no key is given; EHR_INVALID_ARGUMENT for two keys of one name;
            EHR_KEY_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_rotate_root(const ehr_session *session,
                                   const ehr_key *current,
                                   const ehr_key *const *sources,
                                   size_t count,
                                   ehr_key_texts **dropped_out,
                                   ehr_error **error_out);

/*
 Wraps the keys of all patients under a new key and destroys the one before; `*count_out` is how many there were. No record is
 written anew. Needs an administrator.

 Errors: EHR_DENIED, EHR_STORE_IO. After a failure every record opens, and calling again goes on.
 */
EHR_API
ehr_status ehr_session_rotate_patient_keys(const ehr_session *session,
                                           uint64_t *count_out,
                                           ehr_error **error_out);

/*
 Writes the whole store anew into the file `to`, which must not be there yet, under another key for its pages. From then on that file
 is the store: this one answers EHR_STORE_MOVED to everything. Release it, put the new file in its place and destroy the old one.
 Needs an administrator.

 Errors: EHR_DENIED, EHR_STORE_EXISTS, EHR_IO, EHR_STORE_IO: there is no new file, and the store is as it was.
 */
EHR_API
ehr_status ehr_session_rotate_page_key(const ehr_session *session,
                                       ehr_str to,
                                       ehr_error **error_out);

/*
 Says what protects a store and what does not.

 Errors: EHR_INVALID_ARGUMENT where `status_out->size` is not set.
 */
EHR_API
ehr_status ehr_store_security_status(const ehr_store *store,
                                     ehr_security_status *status_out,
                                     ehr_error **error_out);

/*
 Writes a version that says something else than the one before. Arguments: expected, reason; on_behalf, authored.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_amend(const ehr_session *session,
                             ehr_str record,
                             ehr_str arguments,
                             ehr_text **text_out,
                             ehr_error **error_out);

/*
 Writes a version that mends what was wrong in the one before. Arguments as ehr_session_amend().

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_correct(const ehr_session *session,
                               ehr_str record,
                               ehr_str arguments,
                               ehr_text **text_out,
                               ehr_error **error_out);

/*
 Writes a version that adds to the one before. Arguments as ehr_session_amend().

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_augment(const ehr_session *session,
                               ehr_str record,
                               ehr_str arguments,
                               ehr_text **text_out,
                               ehr_error **error_out);

/*
 Hides a record that should not have been made. Arguments: record, expected, reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_retract(const ehr_session *session,
                               ehr_str arguments,
                               ehr_text **text_out,
                               ehr_error **error_out);

/*
 Undoes a retraction. Arguments: record, reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_restore(const ehr_session *session,
                               ehr_str arguments,
                               ehr_text **text_out,
                               ehr_error **error_out);

/*
 Deletes a record, with the reason. Arguments: record, reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_delete_for(const ehr_session *session,
                                  ehr_str arguments,
                                  ehr_text **text_out,
                                  ehr_error **error_out);

/*
 Every version of a record that is retracted, newest first. Arguments: record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_read_retracted(const ehr_session *session,
                                      ehr_str arguments,
                                      ehr_text **text_out,
                                      ehr_error **error_out);

/*
 Who had been shown a record, before it was retracted where it is. Arguments: record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_viewers_before(const ehr_session *session,
                                      ehr_str arguments,
                                      ehr_text **text_out,
                                      ehr_error **error_out);

/*
 Where the current version comes from: every version with what made it and why. Arguments: record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_lineage(const ehr_session *session,
                               ehr_str arguments,
                               ehr_text **text_out,
                               ehr_error **error_out);

/*
 Whether every further version has to say its reason from now on. Arguments: required.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_require_reason(const ehr_session *session,
                                      ehr_str arguments,
                                      ehr_text **text_out,
                                      ehr_error **error_out);

/*
 Puts a chart or one record on legal hold. Arguments: patient, contact, reason; record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_place_hold(const ehr_session *session,
                                  ehr_str arguments,
                                  ehr_text **text_out,
                                  ehr_error **error_out);

/*
 Releases a hold. Arguments: number, reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_release_hold(const ehr_session *session,
                                    ehr_str arguments,
                                    ehr_text **text_out,
                                    ehr_error **error_out);

/*
 The holds, those that were released too. Arguments: patient, or none for all.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_holds(const ehr_session *session,
                             ehr_str arguments,
                             ehr_text **text_out,
                             ehr_error **error_out);

/*
 Writes an edit made from version base, merged with what was written since, or parks it. Arguments: base.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_write_merged(const ehr_session *session,
                                    ehr_str record,
                                    ehr_str arguments,
                                    ehr_text **text_out,
                                    ehr_error **error_out);

/*
 The conflicts, those that were settled too. Arguments: patient, or none for all.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_conflicts(const ehr_session *session,
                                 ehr_str arguments,
                                 ehr_text **text_out,
                                 ehr_error **error_out);

/*
 Both sides of a conflict and what is current now. Arguments: number.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_conflict(const ehr_session *session,
                                ehr_str arguments,
                                ehr_text **text_out,
                                ehr_error **error_out);

/*
 Settles a conflict. Arguments: number, choice (theirs, mine, bytes, nothing), seen, reason. The record with choice bytes.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_settle(const ehr_session *session,
                              ehr_str record,
                              ehr_str arguments,
                              ehr_text **text_out,
                              ehr_error **error_out);

/*
 A patient asks that an entry be amended. Arguments: patient, text; record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_request_amendment(const ehr_session *session,
                                         ehr_str arguments,
                                         ehr_text **text_out,
                                         ehr_error **error_out);

/*
 A patient asks for all that is kept about them. Arguments: patient, text.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_request_access(const ehr_session *session,
                                      ehr_str arguments,
                                      ehr_text **text_out,
                                      ehr_error **error_out);

/*
 The requests of a patient, or all. Arguments: patient, or none for all.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_requests(const ehr_session *session,
                                ehr_str arguments,
                                ehr_text **text_out,
                                ehr_error **error_out);

/*
 The requests whose term is over. No arguments.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_overdue_requests(const ehr_session *session,
                                        ehr_str arguments,
                                        ehr_text **text_out,
                                        ehr_error **error_out);

/*
 Extends the term of a request by 30 days, once. Arguments: number, reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_extend_request(const ehr_session *session,
                                      ehr_str arguments,
                                      ehr_text **text_out,
                                      ehr_error **error_out);

/*
 Accepts an amendment. Arguments: number, reason; with the record as it is to be, expected.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_accept_amendment(const ehr_session *session,
                                        ehr_str record,
                                        ehr_str arguments,
                                        ehr_text **text_out,
                                        ehr_error **error_out);

/*
 Denies an amendment. Arguments: number, ground (not-created-here, not-in-record-set, not-open-to-inspection, accurate-and-complete), reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_deny_amendment(const ehr_session *session,
                                      ehr_str arguments,
                                      ehr_text **text_out,
                                      ehr_error **error_out);

/*
 The patient's statement of disagreement. Arguments: number, text.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_disagree(const ehr_session *session,
                                ehr_str arguments,
                                ehr_text **text_out,
                                ehr_error **error_out);

/*
 The answer to a statement of disagreement. Arguments: number, text.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_rebut(const ehr_session *session,
                             ehr_str arguments,
                             ehr_text **text_out,
                             ehr_error **error_out);

/*
 Says that a request for access was met. Arguments: number, reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_fulfil_access(const ehr_session *session,
                                     ehr_str arguments,
                                     ehr_text **text_out,
                                     ehr_error **error_out);

/*
 All that is kept about a patient, as files by name. Arguments: patient; versions; folder to write them to.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_access_package(const ehr_session *session,
                                      ehr_str arguments,
                                      ehr_text **text_out,
                                      ehr_error **error_out);

/*
 Sets how long entries are kept: the rules as JSON in place of a record. No arguments.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_set_retention(const ehr_session *session,
                                     ehr_str record,
                                     ehr_str arguments,
                                     ehr_text **text_out,
                                     ehr_error **error_out);

/*
 How long entries are kept. No arguments.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_retention(const ehr_session *session,
                                 ehr_str arguments,
                                 ehr_text **text_out,
                                 ehr_error **error_out);

/*
 From when on a record or a chart may be destroyed; null: never, as things are. Arguments: patient; record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_retention_due(const ehr_session *session,
                                     ehr_str arguments,
                                     ehr_text **text_out,
                                     ehr_error **error_out);

/*
 Proposes to destroy a record or a chart. Arguments: patient, reason; record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_propose_destroy(const ehr_session *session,
                                       ehr_str arguments,
                                       ehr_text **text_out,
                                       ehr_error **error_out);

/*
 Destroys what somebody else proposed. Arguments: number, reason.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_approve_destroy(const ehr_session *session,
                                       ehr_str arguments,
                                       ehr_text **text_out,
                                       ehr_error **error_out);

/*
 Takes a proposal back, or turns it down. Arguments: number.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_withdraw_destroy(const ehr_session *session,
                                        ehr_str arguments,
                                        ehr_text **text_out,
                                        ehr_error **error_out);

/*
 The proposals, those that ended too. No arguments.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_proposals(const ehr_session *session,
                                 ehr_str arguments,
                                 ehr_text **text_out,
                                 ehr_error **error_out);

/*
 What became of a record that was destroyed. Arguments: record.

 `arguments` is a JSON object of the arguments named above; `*text_out` is the answer as JSON.
 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_INVALID_ARGUMENT, EHR_DENIED, EHR_NOT_FOUND, EHR_HOLD, EHR_REASON_REQUIRED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_tombstone(const ehr_session *session,
                                 ehr_str arguments,
                                 ehr_text **text_out,
                                 ehr_error **error_out);

/*
 The resource type, such as `Patient`. Ownership: the text lives for ever.
 */
EHR_API ehr_str ehr_record_kind(const ehr_record *record);

/*
 The logical id. Ownership: the text belongs to `record`.
 */
EHR_API ehr_str ehr_record_id(const ehr_record *record);

/*
 The number of this version, from 1; 0 where `record` is not open.
 */
EHR_API uint32_t ehr_record_version(const ehr_record *record);

/*
 When this version was written: microseconds since 1970-01-01T00:00:00Z.
 */
EHR_API int64_t ehr_record_time(const ehr_record *record);

/*
 1 where this version says that the record was deleted; then it has no bytes.
 */
EHR_API int32_t ehr_record_deleted(const ehr_record *record);

/*
 The JSON exactly as it was written. Ownership: the bytes belong to `record`.
 */
EHR_API ehr_str ehr_record_bytes(const ehr_record *record);

/*
 Releases a record. NULL is fine.
 */
EHR_API void ehr_record_free(ehr_record *record);

/*
 How many records are on a page.
 */
EHR_API size_t ehr_page_count(const ehr_page *page);

/*
 One record of a page, from 0.

 Ownership: on EHR_OK, `*record_out` is the caller's; release it with ehr_record_free(). It may outlive the page.
 Errors:    EHR_NOT_FOUND where `index` is not less than ehr_page_count().
 */
EHR_API ehr_status ehr_page_record(const ehr_page *page, size_t index, ehr_record **record_out, ehr_error **error_out);

/*
 Where the next page starts: to be given to ehr_session_search(). Empty on the last page. Ownership: belongs to `page`.
 */
EHR_API ehr_str ehr_page_next(const ehr_page *page);

/*
 Releases a page. NULL is fine.
 */
EHR_API void ehr_page_free(ehr_page *page);

/*
 The bytes of a text. Ownership: they belong to `text`.
 */
EHR_API ehr_str ehr_text_bytes(const ehr_text *text);

/*
 Releases a text. NULL is fine.
 */
EHR_API void ehr_text_free(ehr_text *text);

/*
 Gets out of a damaged store what is genuine still, with no good copy of it; the damaged file stays as it is. `form` 0: into a new store under
 the same keys; 1: into NDJSON in clear, the current version of each record; 2: every version, each in an object that says what it is.
 A record of which a later version is lost, or may be, is not given as current. `missing` may be NULL, `salvaged_out` too.

 Errors: EHR_MAP_DAMAGED, EHR_NOT_A_STORE, EHR_STORE_EXISTS, EHR_WRONG_KEY, EHR_LOCKED, EHR_INVALID_ARGUMENT, EHR_IO; then there is no file.
 */
EHR_API
ehr_status ehr_store_salvage(ehr_str damaged,
                             ehr_str into,
                             int32_t form,
                             ehr_str actor,
                             const ehr_key *key,
                             ehr_missing missing,
                             void *context,
                             ehr_salvaged *salvaged_out,
                             ehr_error **error_out);

/*
 Begins a session. `purpose` is TREAT, HPAYMT, HOPERAT, HRESCH or PATRQT.

 Ownership: on EHR_OK, `*session_out` is the caller's; release it with ehr_session_free(). It keeps the store open.
 Errors:    EHR_INVALID_ARGUMENT, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_open(const ehr_store *store,
                            const ehr_actor *actor,
                            ehr_str purpose,
                            ehr_session **session_out,
                            ehr_error **error_out);

/*
 Reads the current version of one record.

 Ownership: on EHR_OK, `*record_out` is the caller's; release it with ehr_record_free().
 Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_AUDIT_UNAVAILABLE, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_read(const ehr_session *session,
                            ehr_str kind_name,
                            ehr_str id,
                            ehr_record **record_out,
                            ehr_error **error_out);

/*
 Reads one version of a record by its number. Otherwise as ehr_session_read().
 */
EHR_API
ehr_status ehr_session_read_version(const ehr_session *session,
                                    ehr_str kind_name,
                                    ehr_str id,
                                    uint32_t version,
                                    ehr_record **record_out,
                                    ehr_error **error_out);

/*
 Reads the version that was current at an instant, in microseconds since 1970 UTC. Otherwise as ehr_session_read().
 */
EHR_API
ehr_status ehr_session_as_of(const ehr_session *session,
                             ehr_str kind_name,
                             ehr_str id,
                             int64_t at,
                             ehr_record **record_out,
                             ehr_error **error_out);

/*
 Every version of a record, newest first, deletions included.

 Ownership: on EHR_OK, `*page_out` is the caller's; release it with ehr_page_free().
 Errors:    as ehr_session_read().
 */
EHR_API
ehr_status ehr_session_history(const ehr_session *session,
                               ehr_str kind_name,
                               ehr_str id,
                               ehr_page **page_out,
                               ehr_error **error_out);

/*
 Writes one record: one durable change set. A record without an id gets one.

 Ownership: on EHR_OK, `*record_out` is the version that is current now; release it with ehr_record_free().
 Errors:    EHR_RECORD_INVALID with findings in the error: nothing was written; EHR_DENIED, EHR_JSON_*, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_write(const ehr_session *session,
                             ehr_str resource,
                             ehr_record **record_out,
                             ehr_error **error_out);

/*
 Writes one record where its current version has the number `version` (0: where there is none).

 Errors: EHR_CONFLICT where it has another; otherwise as ehr_session_write().
 */
EHR_API
ehr_status ehr_session_write_if_match(const ehr_session *session,
                                      ehr_str resource,
                                      uint32_t version,
                                      ehr_record **record_out,
                                      ehr_error **error_out);

/*
 Writes a version that says the record is deleted. Earlier versions stay.

 Errors: EHR_NOT_FOUND, EHR_DENIED, EHR_STORE_IO.
 */
EHR_API ehr_status ehr_session_delete(const ehr_session *session, ehr_str kind_name, ehr_str id, ehr_error **error_out);

/*
 A page of the records that match a query in FHIR's search syntax, such as `name=smith&birthdate=ge1980&_count=20`.

 `from` is empty for the first page, then what ehr_page_next() gave.
 Ownership: on EHR_OK, `*page_out` is the caller's; release it with ehr_page_free().
 Errors:    EHR_QUERY_INVALID, EHR_DENIED, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_search(const ehr_session *session,
                              ehr_str kind_name,
                              ehr_str query,
                              ehr_str from,
                              ehr_page **page_out,
                              ehr_error **error_out);

/*
 Every current record of a patient, by the patient's logical id.

 Ownership: on EHR_OK, `*page_out` is the caller's; release it with ehr_page_free().
 Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_chart(const ehr_session *session,
                             ehr_str patient,
                             ehr_page **page_out,
                             ehr_error **error_out);

/*
 A patient's chart as one HTML page that needs nothing else.

 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_STORE_IO.
 */
EHR_API
ehr_status ehr_session_chart_page(const ehr_session *session,
                                  ehr_str patient,
                                  ehr_text **text_out,
                                  ehr_error **error_out);

/*
 A patient's chart as a Bundle; each record stands in it byte for byte as it was stored.

 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_NOT_FOUND, EHR_DENIED, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_export_chart(const ehr_session *session,
                                    ehr_str patient,
                                    ehr_text **text_out,
                                    ehr_error **error_out);

/*
 Everything as NDJSON, a file for each type in `folder`, which must exist. `*records_out` is how many were written.

 Errors: EHR_DENIED, EHR_IO, EHR_AUDIT_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_session_export(const ehr_session *session,
                              ehr_str folder,
                              uint64_t *records_out,
                              ehr_error **error_out);

/*
 Imports a file, or every .json, .ndjson and .jsonl file below a folder. Needs an administrator.

 `report_out->size` must be set. A Bundle that breaks off is counted in `refused`.
 Errors: EHR_DENIED, EHR_IO; batches committed before stay.
 */
EHR_API
ehr_status ehr_session_import(const ehr_session *session,
                              ehr_str path,
                              ehr_import_report *report_out,
                              ehr_error **error_out);

/*
 Verifies the audit log and, with EHR_VERIFY_RECORDS, every current record. Needs an administrator.

 `report_out->size` must be set. Errors: EHR_AUDIT_BROKEN, EHR_CORRUPT, EHR_WRONG_KEY, EHR_DENIED.
 */
EHR_API
ehr_status ehr_session_verify(const ehr_session *session,
                              int32_t level,
                              ehr_verify_report *report_out,
                              ehr_error **error_out);

/*
 Releases a session and writes the audit events that wait. NULL is fine.
 */
EHR_API void ehr_session_free(ehr_session *session);

/*
 Makes the whole chart of a patient unreadable for ever: its keys are destroyed, and with them every copy of a record in this file.
 Needs an administrator; `reason` is for the audit log.

 `*text_out` is what was destroyed as JSON: versions, blocks, tokens, damaged, keysLost; elsewhere, how many versions of this patient's records
 lay in other charts and went too; and moved, the records that are somebody else's now (record, versions), of which what they say in
 that chart stays.

 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_DENIED, EHR_NOT_FOUND; EHR_INVALID_ARGUMENT without a reason; EHR_HOLD where a legal hold covers it;
            EHR_SHRED_UNFINISHED where opening the store again finishes it.
 */
EHR_API
ehr_status ehr_session_shred(const ehr_session *session,
                             ehr_str patient,
                             ehr_str reason,
                             ehr_text **text_out,
                             ehr_error **error_out);

/*
 As ehr_session_shred(), for one compartment of the chart: "normal", "substance-use" or "psychotherapy-notes". The others stay
 whole, but for what records of this compartment said before they were labelled.

 Ownership: as ehr_session_shred().
 Errors:    as ehr_session_shred(); EHR_NOT_FOUND also where the compartment is empty; EHR_INVALID_ARGUMENT for another name.
 */
EHR_API
ehr_status ehr_session_shred_compartment(const ehr_session *session,
                                         ehr_str patient,
                                         ehr_str compartment,
                                         ehr_str reason,
                                         ehr_text **text_out,
                                         ehr_error **error_out);

/*
 Gives a patient new keys and seals every record under them, for when a key may have become known; history and bytes stay as
 they are. `*blocks_out` is how many blocks of records there were. Needs an administrator.

 Errors: as ehr_session_shred(); EHR_CORRUPT where something does not open: nothing was changed.
 */
EHR_API
ehr_status ehr_session_rotate_patient(const ehr_session *session,
                                      ehr_str patient,
                                      ehr_str reason,
                                      uint64_t *blocks_out,
                                      ehr_error **error_out);

/*
 As ehr_create(), with an anchor. `*anchor` is copied; its `context` must live as long as the store.

 Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
 Errors:    as ehr_create(); EHR_ANCHOR_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_create_anchored(ehr_str file,
                               const ehr_key *key,
                               const ehr_anchor *anchor,
                               ehr_store **store_out,
                               ehr_error **error_out);

/*
 As ehr_open(), with an anchor: a file that is older than the anchor knows, or that went another way from there, does not open, and
 nothing is written to it. `*anchor` is copied; its `context` must live as long as the store.

 Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
 Errors:    as ehr_open(); EHR_ROLLED_BACK, EHR_ANCHOR_MISSING, EHR_ANCHOR_INVALID, EHR_ANCHOR_OTHER, EHR_ANCHOR_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_open_anchored(ehr_str file,
                             const ehr_key *key,
                             const ehr_anchor *anchor,
                             ehr_store **store_out,
                             ehr_error **error_out);

/*
 Compares a file with its anchor and shows nothing else; nothing is written. So what EHR_ROLLED_BACK is about can be looked at. `size` is the
 sizeof of `*report_out`.

 Errors: as ehr_open(); EHR_ANCHOR_MISSING, EHR_ANCHOR_INVALID, EHR_ANCHOR_OTHER, EHR_ANCHOR_UNAVAILABLE.
 */
EHR_API
ehr_status ehr_compare_with_anchor(ehr_str file,
                                   const ehr_key *key,
                                   const ehr_anchor *anchor,
                                   ehr_anchor_report *report_out,
                                   size_t size,
                                   ehr_error **error_out);

/*
 Tells the anchor of everything that is committed; without an anchor, nothing.

 Errors: EHR_ANCHOR_UNAVAILABLE.
 */
EHR_API ehr_status ehr_store_anchor_now(const ehr_store *store, ehr_error **error_out);

/*
 How many change sets the anchor does not know of yet; -1 without an anchor that answers: then an older file put back is not noticed.
 */
EHR_API
ehr_status ehr_store_unanchored(const ehr_store *store,
                                int64_t *count_out,
                                ehr_error **error_out);

/*
 A key of 32 uniformly random bytes that the host keeps. Release with ehr_key_free(); it is wiped then.

 Errors: EHR_INVALID_ARGUMENT where `bytes` has not 32 bytes.
 */
EHR_API ehr_status ehr_key_raw(ehr_str bytes, ehr_key **key_out, ehr_error **error_out);

/*
 A key made of a passphrase with Argon2id. Servers should use ehr_key_host(). Release with ehr_key_free().
 */
EHR_API ehr_status ehr_key_passphrase(ehr_str passphrase, ehr_key **key_out, ehr_error **error_out);

/*
 The host's key management. `*source` is copied; its `context` must live as long as the key. Release with ehr_key_free().
 */
EHR_API
ehr_status ehr_key_host(const ehr_key_source *source,
                        ehr_key **key_out,
                        ehr_error **error_out);

/*
 Releases a key. NULL is fine.
 */
EHR_API void ehr_key_free(ehr_key *key);

/*
 Makes a new store in one new file. `key` is used during the call only.

 Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
 Errors:    EHR_STORE_EXISTS, EHR_IO, EHR_KEY_UNAVAILABLE.
 */
EHR_API ehr_status ehr_create(ehr_str file, const ehr_key *key, ehr_store **store_out, ehr_error **error_out);

/*
 Opens a store. `key` is used during the call only.

 Ownership: on EHR_OK, `*store_out` is the caller's; release it with ehr_store_free().
 Errors:    EHR_LOCKED where another process has it open; EHR_WRONG_KEY, EHR_NOT_A_STORE, EHR_CORRUPT, EHR_IO.
 */
EHR_API ehr_status ehr_open(ehr_str file, const ehr_key *key, ehr_store **store_out, ehr_error **error_out);

/*
 Releases a store. NULL is fine. The file is closed when the last session on it is released too.
 */
EHR_API void ehr_store_free(ehr_store *store);

/*
 Opens FHIR packages (`.tgz` files or folders). R4's own code systems and value sets are always there, also with `count` 0.
 Licensed systems such as SNOMED CT and LOINC are not; their codes are not checked, which is not the same as wrong.

 Ownership: on EHR_OK, `*terminology_out` is the caller's; release it with ehr_terminology_free(). `packages` points to
            `count` texts, read during the call.
 Errors:    EHR_IO, EHR_PACKAGE_UNREADABLE, EHR_PACKAGE_LIMIT.
 */
EHR_API
ehr_status ehr_terminology_open(const ehr_str *packages,
                                size_t count,
                                ehr_terminology **terminology_out,
                                ehr_error **error_out);

/*
 Releases it. NULL is fine.
 */
EHR_API void ehr_terminology_free(ehr_terminology *terminology);

/*
 Whether a code is in a value set (`url` or `url|version`), or in its code system where `value_set` is empty. `system` may be
 empty where the value set tells it; `display` may be empty. `size` is the sizeof of `*check_out`.
 */
EHR_API
ehr_status ehr_terminology_validate_code(const ehr_terminology *terminology,
                                         ehr_str value_set,
                                         ehr_str system,
                                         ehr_str code,
                                         ehr_str display,
                                         ehr_code_check *check_out,
                                         size_t size,
                                         ehr_error **error_out);

/*
 The text that a code system prefers for a code.

 Ownership: on EHR_OK, `*display_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_NOT_FOUND: the system is not here, or does not have the code, or has no text for it.
 */
EHR_API
ehr_status ehr_terminology_display(const ehr_terminology *terminology,
                                   ehr_str system,
                                   ehr_str code,
                                   ehr_text **display_out,
                                   ehr_error **error_out);

/*
 The codes of a value set (`url` or `url|version`), at most `limit` of them.

 Ownership: on EHR_OK, `*expansion_out` is the caller's; release it with ehr_expansion_free().
 Errors:    EHR_VALUE_SET_UNKNOWN; EHR_EXPANSION_IMPOSSIBLE: a part of it cannot be listed here; EHR_EXPANSION_LIMIT.
 */
EHR_API
ehr_status ehr_terminology_expand(const ehr_terminology *terminology,
                                  ehr_str value_set,
                                  size_t limit,
                                  ehr_expansion **expansion_out,
                                  ehr_error **error_out);

/*
 Releases it. NULL is fine.
 */
EHR_API void ehr_expansion_free(ehr_expansion *expansion);

/*
 How many codes it has.
 */
EHR_API size_t ehr_expansion_count(const ehr_expansion *expansion);

/*
 Reads one code into `*entry_out`, of which `size` is the sizeof. Ownership: its texts belong to `expansion`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_expansion_entry(const ehr_expansion *expansion,
                               size_t index,
                               ehr_code_entry *entry_out,
                               size_t size);

/*
 Checks the structure of one FHIR R4 resource, JSON or XML. Needs no store.

 Ownership: on EHR_OK, `*report_out` is the caller's, also where there are findings; release it with ehr_report_free().
 Errors:    EHR_JSON_*, EHR_XML_*, EHR_LIMIT_*, EHR_RESOURCE_TYPE_*: the text is no R4 resource.
 */
EHR_API ehr_status ehr_validate(ehr_str resource, ehr_report **report_out, ehr_error **error_out);

/*
 1 where there is no finding of severity error or fatal.
 */
EHR_API int32_t ehr_report_is_valid(const ehr_report *report);

/*
 How many findings can be read.
 */
EHR_API size_t ehr_report_count(const ehr_report *report);

/*
 Reads one finding into `*issue`, of which `size` is the sizeof. Ownership: its texts belong to `report`. Errors: EHR_NOT_FOUND.
 */
EHR_API
ehr_status ehr_report_issue(const ehr_report *report,
                            size_t index,
                            ehr_issue *issue,
                            size_t size);

/*
 The findings as FHIR's OperationOutcome (JSON).

 Ownership: on EHR_OK, `*text_out` is the caller's; release it with ehr_text_free().
 */
EHR_API ehr_status ehr_report_operation_outcome(const ehr_report *report, ehr_text **text_out, ehr_error **error_out);

/*
 Releases a report. NULL is fine.
 */
EHR_API void ehr_report_free(ehr_report *report);

/*
 Starts a validator that knows R4.

 Ownership: on EHR_OK, `*validator_out` is the caller's; release it with ehr_validator_free().
 */
EHR_API ehr_status ehr_validator_new(ehr_validator **validator_out, ehr_error **error_out);

/*
 Adds the FHIR package at a path: a .tgz file, or a folder.

 Errors:    EHR_IO, EHR_PACKAGE_*: it cannot be read. EHR_INVALID_ARGUMENT: the validator is built already.
 */
EHR_API ehr_status ehr_validator_add_package(ehr_validator *validator, ehr_str path, ehr_error **error_out);

/*
 Checks every record against the profile of this URL too, beside those its meta.profile names.

 Errors:    EHR_INVALID_ARGUMENT: the validator is built already.
 */
EHR_API ehr_status ehr_validator_add_profile(ehr_validator *validator, ehr_str url, ehr_error **error_out);

/*
 Adds what ehr_validator_save() kept in a file: packages, profiles, options.

 Errors:    EHR_IO: the file cannot be read. EHR_COMPILED_UNREADABLE: it is no such file, or not whole.
            EHR_COMPILED_VERSION: another version of the library wrote it. EHR_INVALID_ARGUMENT: the validator is built already.
 */
EHR_API
ehr_status ehr_validator_load(ehr_validator *validator,
                              ehr_str path,
                              ehr_error **error_out);

/*
 Keeps a built validator in a file, from which ehr_validator_load() has it back in milliseconds.

 Errors:    EHR_IO: the file cannot be written. EHR_INVALID_ARGUMENT: the validator is not built.
 */
EHR_API ehr_status ehr_validator_save(const ehr_validator *validator, ehr_str path, ehr_error **error_out);

/*
 Builds the validator. From then on it does not change.

 Errors:    EHR_PROFILE_UNKNOWN: a profile that was added is in no package. EHR_INVALID_ARGUMENT: it is built already.
 */
EHR_API ehr_status ehr_validator_build(ehr_validator *validator, ehr_error **error_out);

/*
 Checks one FHIR R4 resource, JSON or XML: structure, invariants, bindings, profiles. Text that cannot be read is a finding.

 Ownership: on EHR_OK, `*report_out` is the caller's, also where there are findings; release it with ehr_report_free().
 Errors:    EHR_INVALID_ARGUMENT: the validator is not built.
 */
EHR_API
ehr_status ehr_validator_validate(const ehr_validator *validator,
                                  ehr_str resource,
                                  ehr_report **report_out,
                                  ehr_error **error_out);

/*
 As ehr_validator_validate(), for at most so many milliseconds, holding at most `memory` bytes, until `cancel` says stop. 0 and NULL are no
 limit. There is no report of a part.

 Ownership: as ehr_validator_validate().
 Errors:    as ehr_validator_validate(); EHR_DEADLINE, EHR_LIMIT_MEMORY, EHR_CANCELLED.
 */
EHR_API
ehr_status ehr_validator_validate_within(const ehr_validator *validator,
                                         ehr_str resource,
                                         uint64_t milliseconds,
                                         size_t memory,
                                         const ehr_cancel *cancel,
                                         ehr_report **report_out,
                                         ehr_error **error_out);

/*
 Releases a validator. NULL is fine.
 */
EHR_API void ehr_validator_free(ehr_validator *validator);

/*
 The version of the library, such as `0.1.0`. The text lives for ever. Threads: any. Since: 0.1.0
 */
EHR_API ehr_str ehr_version(void);

/*
 The version of the ABI: grows by one when a function is added; a program needs at least the one it was compiled with
 (`EHR_ABI_VERSION`). Threads: any. Since: 0.1.0
 */
EHR_API uint32_t ehr_abi_version(void);

/*
 Reads one FHIR R4 resource from XML: its JSON form, which ehr_session_write() takes, and what was found in it.

 Ownership: on EHR_OK, `*json_out` is the caller's; release it with ehr_text_free(). `report_out` may be NULL; otherwise
            `*report_out` is the caller's; release it with ehr_report_free(). Comments are not part of the JSON form, nor is
            what the report names as an EHR_XML_TEXT or EHR_XML_ATTRIBUTE.
 Errors:    EHR_XML_*, EHR_LIMIT_*, EHR_RESOURCE_TYPE_*: the text is no R4 resource in XML.
 */
EHR_API
ehr_status ehr_xml_read(ehr_str resource,
                        ehr_text **json_out,
                        ehr_report **report_out,
                        ehr_error **error_out);

/*
 Writes one FHIR R4 resource, given as JSON, as XML.

 Ownership: on EHR_OK, `*xml_out` is the caller's; release it with ehr_text_free().
 Errors:    EHR_XML_UNSAYABLE with the path: it has something that XML cannot say; EHR_JSON_*, EHR_LIMIT_*.
 */
EHR_API ehr_status ehr_xml_write(ehr_str resource, ehr_text **xml_out, ehr_error **error_out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* EHRCORE_H */
