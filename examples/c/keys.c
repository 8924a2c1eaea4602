/* The keys of a store: a recovery key, shares that people keep, another root; what opens the store before and after. */
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

/* Whether an answer has a part. It is not ended by a zero. */
static int says(const ehr_text *answer, const char *part)
{
    ehr_str all = ehr_text_bytes(answer);
    size_t length = strlen(part), at;
    for (at = 0; at + length <= all.length; at++)
        if (memcmp(all.data + at, part, length) == 0)
            return 1;
    return 0;
}

static int opens(const char *file, const ehr_key *key)
{
    ehr_store *store = NULL;
    ehr_status status = ehr_open(text(file), key, &store, NULL);
    ehr_store_free(store);
    return status == EHR_OK;
}

/* A host's key management that can be out of reach, or say no: `*context` is what it answers. */
static int host_wrap(void *context, ehr_str associated, const uint8_t *root, uint8_t *wrapped, size_t capacity, size_t *length)
{
    (void)associated;
    if (*(int *)context != 0 || capacity < 32)
        return *(int *)context != 0 ? *(int *)context : 1;
    memcpy(wrapped, root, 32);
    *length = 32;
    return 0;
}

static int host_unwrap(void *context, ehr_str associated, ehr_str wrapped, uint8_t *root)
{
    (void)associated;
    if (*(int *)context != 0 || wrapped.length != 32)
        return *(int *)context != 0 ? *(int *)context : 1;
    memcpy(root, wrapped.data, 32);
    return 0;
}

/* What a host refuses is not opened with what was kept for work offline; what it does not answer to is. */
static int refused_is_not_unanswered(const char *file, ehr_str device)
{
    char kept[4096];
    int answer = 0, right;
    ehr_key_source source;
    ehr_key *host = NULL, *cached = NULL;
    ehr_store *store = NULL;
    ehr_error *error = NULL;
    if (strlen(file) + 6 > sizeof kept)
        return failed("a shorter name", NULL);
    strcpy(kept, file);
    strcat(kept, ".kept");
    memset(&source, 0, sizeof source);
    source.size = sizeof source;
    source.context = &answer;
    source.wrap = host_wrap;
    source.unwrap = host_unwrap;
    remove(file);
    if (ehr_key_host(&source, &host, &error) != EHR_OK || ehr_create(text(file), host, &store, &error) != EHR_OK
        || ehr_key_cached(host, device, text(kept), 3600, &cached, &error) != EHR_OK)
        return failed("a host's key", error);
    ehr_store_free(store);
    store = NULL;
    right = opens(file, cached);
    answer = 1; /* no answer */
    right = right && opens(file, cached) && ehr_open(text(file), host, &store, NULL) == EHR_KEY_UNAVAILABLE;
    answer = EHR_WRONG_KEY; /* it says no */
    right = right && ehr_open(text(file), cached, &store, NULL) == EHR_WRONG_KEY;
    answer = 1;
    right = right && ehr_open(text(file), cached, &store, NULL) == EHR_KEY_UNAVAILABLE;
    ehr_key_free(cached);
    ehr_key_free(host);
    remove(kept);
    return right ? 0 : failed("a host that refuses was not believed", NULL);
}

/* Adds a recovery key and three shares; then puts a new root under the shares alone. */
static int rotate(ehr_session *session, const ehr_key *raw, ehr_key **paper, ehr_key **shared, ehr_key_texts **shares)
{
    ehr_text *printed = NULL;
    ehr_key_texts *names = NULL, *dropped = NULL;
    ehr_text *gone = NULL;
    ehr_key_status status;
    ehr_error *error = NULL;
    uint64_t patients = 0;
    const ehr_key *kept[1];
    int right;
    status.size = sizeof status;
    if (ehr_key_recovery_new(paper, &printed, &error) != EHR_OK || ehr_session_put_key(session, raw, *paper, &error) != EHR_OK)
        return failed("recovery key", error);
    ehr_text_free(printed);
    if (ehr_key_split(2, 3, shared, shares, &error) != EHR_OK || ehr_session_put_key(session, *paper, *shared, &error) != EHR_OK)
        return failed("shares", error);
    if (ehr_session_key_status(session, &status, &names, &error) != EHR_OK)
        return failed("status", error);
    right = ehr_key_texts_count(names) == 3 && status.root_epoch == 1;
    ehr_key_texts_free(names);
    if (!right || ehr_session_remove_key(session, raw, text("passphrase"), NULL) != EHR_NOT_FOUND)
        return failed("not the ways that were added", NULL);
    kept[0] = *shared;
    if (ehr_session_rotate_root(session, raw, kept, 1, &dropped, &error) != EHR_OK)
        return failed("another root", error);
    right = ehr_key_texts_count(dropped) == 2 && ehr_key_texts_get(dropped, 2).length == 0;
    ehr_key_texts_free(dropped);
    if (ehr_session_rotate_page_key(session, text(""), NULL) == EHR_OK)
        return failed("a file without a name", NULL);
    if (!right || ehr_session_rotate_patient_keys(session, &patients, &error) != EHR_OK || patients != 1)
        return failed("keys of patients", error);
    if (ehr_session_rotate_patient(session, text("p1"), text("a leak"), &patients, &error) != EHR_OK || patients != 1)
        return failed("new keys for a patient", error);
    if (ehr_session_shred(session, text("nobody"), text("asked for"), &gone, NULL) != EHR_NOT_FOUND)
        return failed("nobody to shred", NULL);
    if (ehr_session_shred(session, text("p1"), text("asked for"), &gone, &error) != EHR_OK)
        return failed("shred", error);
    right = says(gone, "{\"versions\":1,") && says(gone, "\"elsewhere\":0,") && says(gone, "\"moved\":[]");
    ehr_text_free(gone);
    return right ? 0 : failed("what was destroyed", NULL);
}

int main(int count, char **arguments)
{
    const char *file = count > 1 ? arguments[1] : "keys.ehr";
    static const char bytes[32] = "not a key that a product may use";
    static const char patient[] = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}";
    ehr_key *raw = NULL, *paper = NULL, *shared = NULL, *joined = NULL, *limited = NULL;
    ehr_key_texts *shares = NULL;
    ehr_store *store = NULL;
    ehr_session *session = NULL;
    ehr_record *record = NULL;
    ehr_error *error = NULL;
    ehr_actor actor;
    ehr_str key, pair[2];
    int result;
    key.data = bytes;
    key.length = sizeof bytes;
    remove(file);
    memset(&actor, 0, sizeof actor);
    actor.size = sizeof actor;
    actor.id = text("dr-grey");
    actor.role = text("physician");
    actor.patient = text("");
    if (ehr_key_raw(key, &raw, &error) != EHR_OK || ehr_create(text(file), raw, &store, &error) != EHR_OK
        || ehr_session_open(store, &actor, text("TREAT"), &session, &error) != EHR_OK
        || ehr_session_write(session, text(patient), &record, &error) != EHR_OK)
        return failed("a new store", error);
    ehr_record_free(record);
    ehr_session_free(session);
    actor.role = text("administrator");
    if (ehr_session_open(store, &actor, text("HOPERAT"), &session, &error) != EHR_OK)
        return failed("session", error);
    result = rotate(session, raw, &paper, &shared, &shares);
    ehr_session_free(session);
    ehr_store_free(store);
    if (result != 0)
        return result;
    pair[0] = ehr_key_texts_get(shares, 2);
    pair[1] = ehr_key_texts_get(shares, 0);
    if (ehr_key_join(pair, 1, &joined, NULL) != EHR_SHARES_TOO_FEW || ehr_key_join(pair, 2, &joined, &error) != EHR_OK
        || ehr_key_deadline(joined, 60000, &limited, &error) != EHR_OK)
        return failed("two of three shares", error);
    if (opens(file, raw) || opens(file, paper) || !opens(file, joined) || !opens(file, limited))
        return failed("not what was given opens the store", NULL);
    ehr_key_texts_free(shares);
    ehr_key_free(raw);
    ehr_key_free(paper);
    ehr_key_free(shared);
    ehr_key_free(joined);
    ehr_key_free(limited);
    if (refused_is_not_unanswered(file, key) != 0)
        return 1;
    remove(file);
    puts("two of three shares open the store, and nothing else does");
    return 0;
}
