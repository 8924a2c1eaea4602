/* One clinic day in C: make a store, write a patient, see a bad record refused, search, read back, be denied.
 *
 *   clinic STORE-FILE
 */
#include "ehrcore.h"

#include <stdio.h>
#include <string.h>

static ehr_str text(const char *chars)
{
    ehr_str made;
    made.data = chars;
    made.length = strlen(chars);
    return made;
}

static void say(const char *what, ehr_error *error)
{
    ehr_str message = ehr_error_message(error), mend = ehr_status_mend(ehr_error_code(error));
    size_t i;
    fprintf(stderr, "%s: %.*s\n%.*s\n", what, (int)message.length, message.data, (int)mend.length, mend.data);
    for (i = 0; i < ehr_error_issue_count(error); i++) {
        ehr_issue issue;
        if (ehr_error_issue(error, i, &issue, sizeof issue) == EHR_OK)
            fprintf(stderr, "  %.*s: %.*s\n", (int)issue.path.length, issue.path.data, (int)issue.message.length, issue.message.data);
    }
    ehr_error_free(error);
}

int main(int argc, char **argv)
{
    /* A product asks its key management; see ehr_key_host(). */
    static const char key_bytes[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    static const char patient[] = "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"name\":[{\"family\":\"Doe\"}],\"birthDate\":\"1970-01-01\"}";
    static const char wrong[] = "{\"resourceType\":\"Patient\",\"id\":\"p2\",\"birthDate\":\"1970-13-01\"}";
    ehr_key *key = NULL;
    ehr_store *store = NULL;
    ehr_session *session = NULL;
    ehr_record *record = NULL;
    ehr_page *page = NULL;
    ehr_error *error = NULL;
    ehr_verify_report verified;
    ehr_actor actor;
    ehr_str bytes;
    int result = 1;

    if (argc < 2) {
        fprintf(stderr, "usage: clinic STORE-FILE\n");
        return 2;
    }
    bytes.data = key_bytes;
    bytes.length = sizeof key_bytes;
    memset(&actor, 0, sizeof actor);
    actor.size = sizeof actor;
    actor.id = text("dr-grey");
    actor.role = text("physician");
    if (ehr_key_raw(bytes, &key, &error) != EHR_OK || ehr_create(text(argv[1]), key, &store, &error) != EHR_OK
        || ehr_session_open(store, &actor, text("TREAT"), &session, &error) != EHR_OK
        || ehr_session_write(session, text(patient), &record, &error) != EHR_OK) {
        say("failed", error);
        goto done;
    }
    printf("stored version %u\n", (unsigned)ehr_record_version(record));
    ehr_record_free(record);
    record = NULL;

    if (ehr_session_write(session, text(wrong), &record, &error) != EHR_RECORD_INVALID) {
        fprintf(stderr, "a thirteenth month was accepted\n");
        goto done;
    }
    say("refused, as it should be", error);
    error = NULL;

    if (ehr_session_search(session, text("Patient"), text("name=doe"), text(""), &page, &error) != EHR_OK
        || ehr_page_count(page) != 1 || ehr_page_record(page, 0, &record, &error) != EHR_OK) {
        say("search", error);
        goto done;
    }
    bytes = ehr_record_bytes(record);
    if (bytes.length != strlen(patient) || memcmp(bytes.data, patient, bytes.length) != 0) {
        fprintf(stderr, "what came out is not what went in\n");
        goto done;
    }
    printf("found and read %u bytes, equal to what was written\n", (unsigned)bytes.length);

    verified.size = sizeof verified;
    if (ehr_session_verify(session, EHR_VERIFY_LOG, &verified, &error) != EHR_DENIED) {
        fprintf(stderr, "a physician may not verify the audit log\n");
        goto done;
    }
    say("denied, as it should be", error);
    result = 0;

done:
    ehr_page_free(page);
    ehr_record_free(record);
    ehr_record_free(record); /* a handle released twice does no harm */
    ehr_session_free(session);
    ehr_store_free(store);
    ehr_key_free(key);
    return result;
}
