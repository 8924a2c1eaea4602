/* An entry is amended with its reason, put on hold, refused with whom to ask, released, and retracted. */
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

static int holds(ehr_str found, const char *wanted)
{
    size_t at, length = strlen(wanted);
    for (at = 0; at + length <= found.length; at++)
        if (memcmp(found.data + at, wanted, length) == 0)
            return 1;
    return 0;
}

static int failed(const char *what, ehr_error *error)
{
    ehr_str message = ehr_error_message(error);
    fprintf(stderr, "%s: %.*s\n", what, (int)message.length, message.data);
    ehr_error_free(error);
    return 1;
}

static const char patient[] = "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"gender\":\"female\"}";
static const char amended[] = "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"gender\":\"male\"}";

/* A session of a role, for its purpose. */
static ehr_session *begin(ehr_store *store, const char *id, const char *role, const char *purpose)
{
    ehr_session *session = NULL;
    ehr_actor actor;
    memset(&actor, 0, sizeof actor);
    actor.size = sizeof actor;
    actor.id = text(id);
    actor.role = text(role);
    actor.patient = text("");
    ehr_session_open(store, &actor, text(purpose), &session, NULL);
    return session;
}

static int story(ehr_session *doctor, ehr_session *office)
{
    ehr_record *record = NULL;
    ehr_text *answer = NULL;
    ehr_error *error = NULL;
    int asked;
    if (ehr_session_write(doctor, text(patient), &record, &error) != EHR_OK)
        return failed("write", error);
    ehr_record_free(record);
    if (ehr_session_amend(doctor, text(amended), text("{\"expected\":1}"), &answer, &error) != EHR_REASON_REQUIRED)
        return failed("a change without a reason", error);
    ehr_error_free(error);
    error = NULL;
    if (ehr_session_amend(doctor, text(amended), text("{\"expected\":1,\"reason\":\"misread\"}"), &answer, &error) != EHR_OK)
        return failed("amend", error);
    ehr_text_free(answer);
    answer = NULL;
    if (ehr_session_place_hold(office, text("{\"patient\":\"p1\",\"contact\":\"legal\",\"reason\":\"case\"}"), &answer, &error) != EHR_OK)
        return failed("hold", error);
    ehr_text_free(answer);
    answer = NULL;
    if (ehr_session_retract(doctor, text("{\"record\":\"Patient/p1\",\"expected\":2,\"reason\":\"x\"}"), &answer, &error) != EHR_HOLD)
        return failed("a retraction under hold", error);
    asked = holds(ehr_error_whom_to_ask(error), "legal");
    ehr_error_free(error);
    error = NULL;
    if (!asked)
        return failed("nobody is named", NULL);
    if (ehr_session_release_hold(office, text("{\"number\":1,\"reason\":\"closed\"}"), &answer, &error) != EHR_OK)
        return failed("release", error);
    ehr_text_free(answer);
    answer = NULL;
    if (ehr_session_retract(doctor, text("{\"record\":\"Patient/p1\",\"expected\":2,\"reason\":\"x\"}"), &answer, &error) != EHR_OK)
        return failed("retract", error);
    ehr_text_free(answer);
    answer = NULL;
    if (ehr_session_read_retracted(doctor, text("{\"record\":\"Patient/p1\"}"), &answer, &error) != EHR_OK)
        return failed("read what is retracted", error);
    asked = holds(ehr_text_bytes(answer), "misread");
    ehr_text_free(answer);
    return asked ? 0 : failed("the reason is not there", NULL);
}

int main(int argc, char **argv)
{
    static const char key_bytes[32] = {7, 7, 7};
    ehr_key *key = NULL;
    ehr_store *store = NULL;
    ehr_str bytes;
    ehr_session *doctor, *office;
    ehr_error *error = NULL;
    int result;
    if (argc < 2)
        return 2;
    bytes.data = key_bytes;
    bytes.length = sizeof key_bytes;
    if (ehr_key_raw(bytes, &key, &error) != EHR_OK || ehr_create(text(argv[1]), key, &store, &error) != EHR_OK)
        return failed("create", error);
    ehr_key_free(key);
    doctor = begin(store, "dr-grey", "physician", "TREAT");
    office = begin(store, "office", "administrator", "HOPERAT");
    result = story(doctor, office);
    ehr_session_free(doctor);
    ehr_session_free(office);
    ehr_store_free(store);
    if (result == 0)
        puts("amended, held, released, retracted");
    return result;
}
