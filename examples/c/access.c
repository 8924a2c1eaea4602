/* Who sees what: a policy is put in place and explained, emergency access is taken, and the host is told. */
#include <ehrcore.h>
#include <stdio.h>
#include <stdlib.h>
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

static int has(ehr_str where, const char *what)
{
    size_t length = strlen(what), at;
    for (at = 0; at + length <= where.length; at++)
        if (memcmp(where.data + at, what, length) == 0)
            return 1;
    return 0;
}

static void told(void *context, ehr_str actor, ehr_str patient, ehr_str reason, uint64_t reference)
{
    if (has(actor, "dr-grey") && has(patient, "p1") && has(reason, "unconscious") && reference != 0)
        ++*(int *)context;
}

/* Nurses see every patient, physicians those they take care of and others in an emergency. */
static const char policy[] =
    "name = \"example\"\n"
    "[[permit]]\nname = \"nurses\"\nroles = [\"nurse\"]\npurposes = [\"TREAT\"]\nactions = [\"look\"]\n"
    "[[permit]]\nname = \"physicians\"\nroles = [\"physician\"]\npurposes = [\"TREAT\"]\nactions = [\"look\"]\nrelations = [\"care-team\"]\n"
    "[[permit]]\nname = \"emergencies\"\nroles = [\"physician\"]\npurposes = [\"TREAT\"]\nactions = [\"break-glass\"]\nmfa = true\n"
    "[[permit]]\nname = \"office\"\nroles = [\"administrator\"]\npurposes = [\"HOPERAT\"]\nactions = [\"policy\", \"audit\"]\n";

int main(int count, char **arguments)
{
    const char *file = count > 1 ? arguments[1] : "access.ehr";
    static const char bytes[32] = "not a key that a product may use";
    static const char patient[] = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}";
    ehr_key *key = NULL;
    ehr_store *store = NULL;
    ehr_session *doctor = NULL, *office = NULL, *emergency = NULL;
    ehr_record *record = NULL;
    ehr_text *said = NULL;
    ehr_error *error = NULL;
    ehr_actor who, admin;
    ehr_str raw;
    uint32_t number = 0;
    int calls = 0;
    raw.data = bytes;
    raw.length = sizeof bytes;
    remove(file);
    memset(&who, 0, sizeof who);
    who.size = sizeof who;
    who.id = text("dr-grey");
    who.role = text("physician");
    who.reference = text("Practitioner/grey");
    who.mfa = 1;
    admin = who;
    admin.id = text("office");
    admin.role = text("administrator");
    if (ehr_key_raw(raw, &key, &error) != EHR_OK || ehr_create(text(file), key, &store, &error) != EHR_OK
        || ehr_store_on_emergency(store, told, &calls, &error) != EHR_OK
        || ehr_session_open(store, &who, text("TREAT"), &doctor, &error) != EHR_OK
        || ehr_session_write(doctor, text(patient), &record, &error) != EHR_OK
        || ehr_session_open(store, &admin, text("HOPERAT"), &office, &error) != EHR_OK)
        return failed("a new store", error);
    ehr_record_free(record);
    if (ehr_policy_check(text(policy), &said, &error) != EHR_OK)
        return failed("the policy", error);
    if (!has(ehr_text_bytes(said), "policy-idle")) /* it leaves four roles with nothing to do, and says so */
        return failed("nothing found", NULL);
    ehr_text_free(said);
    if (ehr_policy_check(text("name = \"x\"\n[[permit]]\nwhom = [\"nurse\"]"), &said, NULL) != EHR_POLICY_INVALID)
        return failed("a policy that is none", NULL);
    if (ehr_session_set_policy(office, text(policy), &number, &error) != EHR_OK || number != 1)
        return failed("set", error);
    if (ehr_session_read(doctor, text("Patient"), text("p1"), &record, NULL) != EHR_NOT_FOUND)
        return failed("a stranger's chart is open", NULL);
    if (ehr_session_explain(office, &who, text("TREAT"), text("read"), text("Patient"), text("p1"), &said, &error) != EHR_OK)
        return failed("explain", error);
    printf("%.*s\n", (int)ehr_text_bytes(said).length, ehr_text_bytes(said).data);
    if (!has(ehr_text_bytes(said), "\"missing\":[\"relations\"]"))
        return failed("not why", NULL);
    ehr_text_free(said);
    if (ehr_session_break_glass(doctor, text("p1"), text(""), &emergency, NULL) != EHR_BREAK_GLASS_REFUSED || calls != 0
        || ehr_session_break_glass(doctor, text("p1"), text("unconscious"), &emergency, &error) != EHR_OK || calls != 1
        || ehr_session_read(emergency, text("Patient"), text("p1"), &record, &error) != EHR_OK)
        return failed("emergency access", error);
    ehr_record_free(record);
    if (ehr_session_relate(doctor, text("p1"), &error) != EHR_OK
        || ehr_session_read(doctor, text("Patient"), text("p1"), &record, &error) != EHR_OK)
        return failed("a patient of their own", error);
    ehr_record_free(record);
    if (ehr_session_policy(office, &said, &number, &error) != EHR_OK || number != 1 || !has(ehr_text_bytes(said), "emergencies"))
        return failed("the policy in force", error);
    ehr_text_free(said);
    ehr_session_free(emergency);
    ehr_session_free(doctor);
    ehr_session_free(office);
    ehr_store_free(store);
    ehr_key_free(key);
    remove(file);
    puts("who may not see does not, and an emergency is on record");
    return 0;
}
