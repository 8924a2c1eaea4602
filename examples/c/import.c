/* An import whose second line is broken: the ledger says so, the entry is mended and released, the audit log knows it all. */
#include <ehrcore.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static ehr_str text(const char *chars)
{
    ehr_str made;
    made.data = chars;
    made.length = strlen(chars);
    return made;
}

static int is(ehr_str found, const char *wanted)
{
    return found.length == strlen(wanted) && memcmp(found.data, wanted, found.length) == 0;
}

static int failed(const char *what, ehr_error *error)
{
    ehr_str message = ehr_error_message(error);
    fprintf(stderr, "%s: %.*s\n", what, (int)message.length, message.data);
    ehr_error_free(error);
    return 1;
}

static const char source[] = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\",\"gender\":\"F\"}\n";
static const char mended[] = "{\"resourceType\":\"Patient\",\"id\":\"p2\",\"gender\":\"female\"}";

/* What the ledger says of each line. */
static int read_ledger(ehr_session *session)
{
    ehr_ledger *ledger = NULL;
    ehr_error *error = NULL;
    ehr_ledger_line line;
    int right;
    if (ehr_session_ledger(session, &ledger, &error) != EHR_OK)
        return failed("ledger", error);
    right = ehr_ledger_count(ledger) == 2 && ehr_ledger_read(ledger, 0, &line, sizeof line) == EHR_OK && is(line.fate, "stored")
        && ehr_ledger_read(ledger, 1, &line, sizeof line) == EHR_OK && is(line.fate, "quarantined") && line.reason == EHR_CODE_UNKNOWN
        && ehr_ledger_read(ledger, 2, &line, sizeof line) == EHR_NOT_FOUND;
    ehr_ledger_free(ledger);
    return right ? 0 : failed("the ledger does not say what happened", NULL);
}

/* The entry that was kept aside is mended and stored. */
static int mend(ehr_session *session)
{
    ehr_quarantine *quarantine = NULL;
    ehr_quarantined kept;
    ehr_issue issue;
    ehr_error *error = NULL;
    int result = 1;
    if (ehr_session_quarantine(session, &quarantine, &error) != EHR_OK)
        return failed("quarantine", error);
    if (ehr_quarantine_count(quarantine) != 1 || ehr_quarantine_read(quarantine, 0, &kept, sizeof kept) != EHR_OK || kept.issue_count != 1
        || ehr_quarantine_issue(quarantine, 0, 0, &issue, sizeof issue) != EHR_OK || !is(issue.path, "Patient.gender"))
        failed("the quarantine does not hold what was wrong", NULL);
    else if (ehr_session_release(session, kept.number, text(""), &error) != EHR_RECORD_INVALID)
        failed("it was released as it was", error);
    else {
        ehr_error_free(error);
        error = NULL;
        if (ehr_session_release(session, kept.number, text(mended), &error) != EHR_OK)
            failed("release", error);
        else
            result = 0;
    }
    ehr_quarantine_free(quarantine);
    return result;
}

/* Every event, in order. */
static int read_audit(ehr_session *session)
{
    ehr_audit *audit = NULL;
    ehr_error *error = NULL;
    size_t i;
    int released = 0;
    if (ehr_session_audit(session, 0, 100, &audit, &error) != EHR_OK)
        return failed("audit", error);
    for (i = 0; i < ehr_audit_count(audit); i++) {
        ehr_audit_event event;
        if (ehr_audit_read(audit, i, &event, sizeof event) != EHR_OK || event.sequence != i || event.size != sizeof event)
            break;
        printf("%u %.*s by %.*s\n", (unsigned)event.sequence, (int)event.event.length, event.event.data, (int)event.actor.length, event.actor.data);
        released |= is(event.event, "release") && event.outcome == EHR_OK && event.change_set > 0 && event.rule > 0
            && is(event.compartment, "normal");
        /* A program that was built before the struct grew gives the size it knows, and gets no more. */
        event.actor.length = 77;
        if (ehr_audit_read(audit, i, &event, offsetof(ehr_audit_event, actor)) != EHR_OK || event.actor.length != 77)
            return failed("a shorter event", NULL);
    }
    ehr_audit_free(audit);
    return released ? 0 : failed("the log does not tell of the release", NULL);
}

/* A report is also an OperationOutcome. */
static int outcome(void)
{
    ehr_report *report = NULL;
    ehr_text *made = NULL;
    ehr_error *error = NULL;
    int result = 1;
    if (ehr_validate(text("{\"resourceType\":\"Patient\",\"gender\":\"F\"}"), &report, &error) != EHR_OK
        || ehr_report_operation_outcome(report, &made, &error) != EHR_OK)
        failed("outcome", error);
    else
        result = ehr_text_bytes(made).length > 100 ? 0 : 1;
    ehr_text_free(made);
    ehr_report_free(report);
    return result;
}

/* A validator needs no store; without packages it knows R4 alone. */
static int validator(void)
{
    ehr_validator *made = NULL;
    ehr_report *report = NULL;
    ehr_error *error = NULL;
    int result = 1;
    if (ehr_validator_new(&made, &error) != EHR_OK || ehr_validator_build(made, &error) != EHR_OK
        || ehr_validator_validate(made, text("{\"resourceType\":\"Patient\",\"contact\":[{\"gender\":\"other\"}]}"), &report, &error) != EHR_OK)
        failed("validator", error);
    else
        result = ehr_report_is_valid(report) ? 1 : 0; /* pat-1: a contact needs more than a gender */
    ehr_report_free(report);
    ehr_validator_free(made);
    return result;
}

/* XML in and out: the JSON form is what a session writes. */
static int xml(void)
{
    static const char patient[] = "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"/></Patient>";
    ehr_text *json = NULL;
    ehr_text *again = NULL;
    ehr_report *report = NULL;
    ehr_error *error = NULL;
    int result = 1;
    if (ehr_xml_read(text(patient), &json, &report, &error) != EHR_OK || ehr_report_count(report) != 0
        || ehr_xml_write(ehr_text_bytes(json), &again, &error) != EHR_OK)
        failed("xml", error);
    else
        result = ehr_text_bytes(again).length > strlen(patient) ? 0 : 1;
    ehr_text_free(json);
    ehr_text_free(again);
    ehr_report_free(report);
    if (ehr_xml_read(text("<!DOCTYPE x>"), &json, NULL, NULL) != EHR_XML_DOCTYPE)
        result = failed("a document type was let in", NULL);
    return result;
}

/* Terminology: no store, no network. */
static int codes(void)
{
    const ehr_str none = {NULL, 0};
    const ehr_str genders = text("http://hl7.org/fhir/ValueSet/administrative-gender");
    ehr_terminology *terminology = NULL;
    ehr_expansion *expansion = NULL;
    ehr_text *display = NULL;
    ehr_error *error = NULL;
    ehr_code_check good;
    ehr_code_check bad;
    ehr_code_entry entry;
    int result = 1;
    if (ehr_terminology_open(NULL, 0, &terminology, &error) != EHR_OK
        || ehr_terminology_validate_code(terminology, genders, none, text("female"), none, &good, sizeof good, &error) != EHR_OK
        || ehr_terminology_validate_code(terminology, genders, none, text("F"), none, &bad, sizeof bad, &error) != EHR_OK
        || ehr_terminology_expand(terminology, genders, 100, &expansion, &error) != EHR_OK
        || ehr_expansion_entry(expansion, 0, &entry, sizeof entry) != EHR_OK
        || ehr_terminology_display(terminology, entry.system, entry.code, &display, &error) != EHR_OK)
        failed("codes", error);
    else
        result = good.outcome == EHR_OUTCOME_IN && bad.outcome == EHR_OUTCOME_NOT_IN && ehr_expansion_count(expansion) == 4 ? 0 : 1;
    ehr_text_free(display);
    ehr_expansion_free(expansion);
    ehr_terminology_free(terminology);
    return result;
}

/* A host that knows one code of LOINC. */
static int32_t knows(void *context, ehr_str value_set, ehr_str system, ehr_str version, ehr_str code, ehr_str display)
{
    (void)value_set;
    (void)version;
    (void)display;
    ++*(int *)context;
    if (!is(system, "http://loinc.org"))
        return -1;
    return is(code, "8480-6") ? 1 : 0;
}

/* A source of the host's is asked for what no package has; a map that no package has cannot translate. */
static int host_codes(void)
{
    const ehr_str none = {NULL, 0};
    const ehr_str loinc = text("http://loinc.org");
    int asked = 0;
    ehr_code_source host;
    ehr_terminology *terminology = NULL;
    ehr_translations *translations = NULL;
    ehr_error *error = NULL;
    ehr_error *unknown = NULL;
    ehr_code_check good;
    ehr_code_check bad;
    int result = 1;
    memset(&host, 0, sizeof host);
    host.size = sizeof host;
    host.context = &asked;
    host.validate_code = knows;
    if (ehr_terminology_open_with(NULL, 0, &host, &terminology, &error) != EHR_OK
        || ehr_terminology_validate_code(terminology, none, loinc, text("8480-6"), none, &good, sizeof good, &error) != EHR_OK
        || ehr_terminology_validate_code(terminology, none, loinc, text("8462-4"), none, &bad, sizeof bad, &error) != EHR_OK)
        failed("a source of codes", error);
    else if (ehr_terminology_translate(terminology, text("http://example.org/map"), none, text("a"), &translations, &unknown) == EHR_CONCEPT_MAP_UNKNOWN)
        result = good.outcome == EHR_OUTCOME_IN && bad.outcome == 2 && asked == 2 && translations == NULL ? 0 : 1;
    ehr_error_free(unknown);
    ehr_translations_free(translations);
    ehr_terminology_free(terminology);
    return result;
}

/* A validator that is kept on disk is there again at once. */
static int kept_validator(const char *beside)
{
    char file[1024];
    ehr_validator *first = NULL;
    ehr_validator *second = NULL;
    ehr_report *report = NULL;
    ehr_error *error = NULL;
    int result = 1;
    sprintf(file, "%s.validator", beside);
    if (ehr_validator_new(&first, &error) != EHR_OK || ehr_validator_build(first, &error) != EHR_OK
        || ehr_validator_save(first, text(file), &error) != EHR_OK || ehr_validator_new(&second, &error) != EHR_OK
        || ehr_validator_load(second, text(file), &error) != EHR_OK || ehr_validator_build(second, &error) != EHR_OK
        || ehr_validator_validate(second, text("{\"resourceType\":\"Patient\",\"gender\":\"F\"}"), &report, &error) != EHR_OK)
        failed("a validator on disk", error);
    else
        result = ehr_report_is_valid(report) ? 1 : 0;
    ehr_report_free(report);
    ehr_validator_free(second);
    ehr_validator_free(first);
    return result;
}

int main(int argc, char **argv)
{
    static const char key_bytes[32] = {7, 7, 7};
    char file[1024];
    ehr_key *key = NULL;
    ehr_store *store = NULL;
    ehr_session *session = NULL;
    ehr_error *error = NULL;
    ehr_import_report report;
    ehr_actor actor;
    ehr_str bytes;
    FILE *out;
    int result = 1;

    if (argc < 2 || strlen(argv[1]) > sizeof file - 16)
        return 2;
    sprintf(file, "%s.ndjson", argv[1]);
    out = fopen(file, "wb");
    if (!out || fwrite(source, 1, sizeof source - 1, out) != sizeof source - 1 || fclose(out) != 0)
        return 2;
    bytes.data = key_bytes;
    bytes.length = sizeof key_bytes;
    memset(&actor, 0, sizeof actor);
    actor.size = sizeof actor;
    actor.id = text("office");
    actor.role = text("administrator");
    report.size = sizeof report;
    if (ehr_key_raw(bytes, &key, &error) != EHR_OK || ehr_create(text(argv[1]), key, &store, &error) != EHR_OK
        || ehr_session_open(store, &actor, text("HOPERAT"), &session, &error) != EHR_OK
        || ehr_session_import(session, text(file), &report, &error) != EHR_OK)
        failed("import", error);
    else if (report.entries != 2 || report.stored != 1 || report.quarantined != 1)
        failed("the counts do not add up", NULL);
    else
        result = read_ledger(session) || mend(session) || read_audit(session) || outcome() || validator() || xml() || codes() || host_codes()
            || kept_validator(argv[1]);
    ehr_session_free(session);
    ehr_store_free(store);
    ehr_key_free(key);
    return result;
}
