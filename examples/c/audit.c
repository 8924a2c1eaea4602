/* The audit log: a report on who saw a patient, a disclosure, and an export that others can verify. */
#include <ehrcore.h>
#include <stdio.h>
#include <string.h>

static ehr_str text(const char *chars)
{
    ehr_str made;
    made.data = chars;
    made.length = strlen(chars);
    return made;
}

static int failed(const char *what, ehr_error *error)
{
    ehr_str message = ehr_error_message(error);
    fprintf(stderr, "%s: %.*s\n", what, (int)message.length, message.data);
    ehr_error_free(error);
    return 1;
}

static int holds(const ehr_text *made, const char *word)
{
    ehr_str bytes = ehr_text_bytes(made);
    size_t at, length = strlen(word);
    for (at = 0; at + length <= bytes.length; at++)
        if (memcmp(bytes.data + at, word, length) == 0)
            return 1;
    return 0;
}

static ehr_session *begin(const ehr_store *store, const char *id, const char *role, const char *purpose)
{
    ehr_session *session = NULL;
    ehr_error *error = NULL;
    ehr_actor actor;
    memset(&actor, 0, sizeof actor);
    actor.size = sizeof actor;
    actor.id = text(id);
    actor.role = text(role);
    if (ehr_session_open(store, &actor, text(purpose), &session, &error) != EHR_OK)
        failed("session", error);
    return session;
}

int main(int count, char **words)
{
    static const char key_bytes[32] = "not a key that a product may use";
    ehr_str key_text;
    char *folder_end;
    const char *patient = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}";
    ehr_key *key = NULL;
    ehr_store *store = NULL;
    ehr_session *doctor = NULL, *office = NULL;
    ehr_record *record = NULL;
    ehr_text *made = NULL;
    ehr_error *error = NULL;
    uint64_t events = 0;
    uint8_t public_key[32];
    int result = 1;
    char folder[1024];
    if (count != 2 || strlen(words[1]) >= sizeof folder)
        return 2;
    strcpy(folder, words[1]);
    folder_end = strrchr(folder, '/');
    if (folder_end == NULL)
        return 2;
    *folder_end = '\0';
    remove(words[1]);
    key_text.data = key_bytes;
    key_text.length = sizeof key_bytes;
    if (ehr_key_raw(key_text, &key, &error) != EHR_OK || ehr_create(text(words[1]), key, &store, &error) != EHR_OK)
        return failed("create", error);
    doctor = begin(store, "dr-grey", "physician", "TREAT");
    office = begin(store, "office", "administrator", "HOPERAT");
    if (ehr_session_write(doctor, text(patient), &record, &error) != EHR_OK
        || ehr_session_disclose(doctor, text("p1"), text("County registry"), text("public-health"), text("measles"), text("by law"), &error) != EHR_OK) {
        failed("write", error);
        goto done;
    }
    if (ehr_session_audit_report(office, text("disclosures"), text("p1"), text("csv"), &made, &error) != EHR_OK || !holds(made, "County registry")) {
        failed("report", error);
        goto done;
    }
    printf("%.*s", (int)ehr_text_bytes(made).length, ehr_text_bytes(made).data);
    ehr_text_free(made);
    made = NULL;
    if (ehr_session_audit_report(office, text("patient"), text("nobody"), text("text"), &made, NULL) != EHR_NOT_FOUND)
        goto done;
    if (ehr_store_audit_checkpoint(store, &made, public_key, &error) != EHR_OK || !holds(made, "ehrcore/")) {
        failed("checkpoint", error);
        goto done;
    }
    if (ehr_session_audit_export(office, text(folder), 0, ehr_text_bytes(made), &events, &error) != EHR_OK || events < 5) {
        failed("export", error);
        goto done;
    }
    ehr_text_free(made);
    made = NULL;
    if (ehr_session_audit_event(office, 1, &made, &error) != EHR_OK || !holds(made, "AuditEvent")) {
        failed("event", error);
        goto done;
    }
    printf("%u events exported, each with its proof\n", (unsigned)events);
    result = 0;

done:
    ehr_text_free(made);
    ehr_record_free(record);
    ehr_session_free(doctor);
    ehr_session_free(office);
    ehr_store_free(store);
    ehr_key_free(key);
    return result;
}
