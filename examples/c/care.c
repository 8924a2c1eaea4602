/* Looking after a store: a copy while it is open, a check, restoring, repair, salvage, a call that is cancelled. */
#include "ehrcore.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ehr_str text(const char *of) {
    ehr_str made;
    made.data = of;
    made.length = strlen(of);
    return made;
}

static void must(ehr_status status, ehr_error *error, const char *what) {
    if (status != EHR_OK) {
        fprintf(stderr, "%s: status %d\n", what, (int)status);
        ehr_error_free(error);
        exit(1);
    }
}

int main(int count, char **words) {
    static const unsigned char bytes[32] = {1, 2, 3};
    char copy[1024], step[1024], into[1024], whole[1024], saved[1024];
    ehr_error *error = NULL;
    ehr_key *key = NULL;
    ehr_store *store = NULL;
    ehr_session *session = NULL, *doctor = NULL;
    ehr_cancel *cancel = NULL;
    ehr_record *record = NULL;
    ehr_copied copied;
    ehr_check_report report;
    ehr_salvaged salvaged;
    ehr_str raw, chain[2];
    ehr_actor actor;
    uint64_t from_copies = 9;
    char kept[1024], note[1024];
    ehr_anchor anchor;
    ehr_anchor_report compared;
    ehr_store *anchored = NULL;
    ehr_cancel *stop = NULL;
    ehr_validator *validator = NULL;
    ehr_report *findings = NULL;
    if (count != 2 || strlen(words[1]) > 900) {
        return 2;
    }
    sprintf(copy, "%s.copy", words[1]);
    sprintf(step, "%s.step", words[1]);
    sprintf(into, "%s.into", words[1]);
    sprintf(whole, "%s.whole", words[1]);
    sprintf(saved, "%s.saved", words[1]);
    sprintf(note, "%s.note", words[1]);
    raw.data = (const char *)bytes;
    raw.length = sizeof bytes;
    must(ehr_key_raw(raw, &key, &error), error, "key");
    must(ehr_create(text(words[1]), key, &store, &error), error, "create");
    memset(&actor, 0, sizeof actor);
    actor.size = sizeof actor;
    actor.id = text("office");
    actor.role = text("administrator");
    must(ehr_session_open(store, &actor, text("HOPERAT"), &session, &error), error, "session");
    actor.id = text("dr-grey");
    actor.role = text("physician");
    must(ehr_session_open(store, &actor, text("TREAT"), &doctor, &error), error, "session");

    /* A validation that is given limits, and one that was cancelled before it began. */
    must(ehr_cancel_new(&stop, &error), error, "a token");
    must(ehr_validator_new(&validator, &error), error, "a validator");
    must(ehr_validator_build(validator, &error), error, "R4");
    must(ehr_validator_validate_within(validator, text("{\"resourceType\":\"Patient\"}"), 60000, 1 << 20, stop, &findings, &error), error, "validate");
    if (!ehr_report_is_valid(findings)) {
        return 1;
    }
    ehr_report_free(findings);
    must(ehr_cancel_now(stop, &error), error, "stop");
    if (ehr_validator_validate_within(validator, text("{\"resourceType\":\"Patient\"}"), 0, 0, stop, &findings, NULL) != EHR_CANCELLED) {
        return 1;
    }
    ehr_validator_free(validator);
    ehr_cancel_free(stop);

    /* An anchor that begins with the store as it is, and the two compared. */
    memset(&anchor, 0, sizeof anchor);
    anchor.size = sizeof anchor;
    anchor.file = text(note);
    anchor.begin = 1;
    sprintf(kept, "%s.anchored", words[1]);
    must(ehr_create_anchored(text(kept), key, &anchor, &anchored, &error), error, "with an anchor");
    ehr_store_free(anchored);
    must(ehr_compare_with_anchor(text(kept), key, &anchor, &compared, sizeof compared, &error), error, "compare");
    if (compared.size != sizeof compared || compared.rolled_back != 0 || compared.file_commits != compared.anchor_commits) {
        return 1;
    }
    anchor.file = text(copy);
    if (ehr_compare_with_anchor(text(kept), key, &anchor, &compared, sizeof compared, NULL) != EHR_ANCHOR_MISSING) {
        return 1;
    }

    copied.size = sizeof copied;
    must(ehr_session_backup(session, text(copy), text(""), NULL, NULL, NULL, &copied, &error), error, "backup");
    must(ehr_session_write(doctor, text("{\"resourceType\":\"Patient\",\"id\":\"p1\"}"), &record, &error), error, "write");
    ehr_record_free(record);
    must(ehr_session_backup(session, text(step), text(copy), key, NULL, NULL, &copied, &error), error, "increment");
    if (copied.number != 1) {
        return 1;
    }
    report.size = sizeof report;
    must(ehr_session_check(session, &report, &error), error, "check");
    if (report.found != 0 || report.records != 1) {
        return 1;
    }

    must(ehr_cancel_new(&cancel, &error), error, "cancel");
    must(ehr_session_limit(session, 0, 0, cancel, &error), error, "limit");
    must(ehr_cancel_now(cancel, &error), error, "cancel");
    if (ehr_session_check(session, &report, NULL) != EHR_CANCELLED) {
        return 1;
    }
    ehr_cancel_free(cancel);
    ehr_session_free(doctor);
    ehr_session_free(session);
    ehr_store_free(store);

    chain[0] = text(copy);
    chain[1] = text(step);
    must(ehr_restore(chain, 2, text(into), key, &copied, &error), error, "restore");
    must(ehr_repair(text(words[1]), chain, 1, text(whole), 0, text("office"), key, &from_copies, &error), error, "repair");
    if (from_copies != 0) {
        return 1;
    }
    salvaged.size = sizeof salvaged;
    must(ehr_store_salvage(text(words[1]), text(saved), 0, text("office"), key, NULL, NULL, &salvaged, &error), error, "salvage");
    if (!salvaged.whole || salvaged.written != 1) {
        return 1;
    }
    must(ehr_open(text(into), key, &store, &error), error, "open what was restored");
    ehr_store_free(store);
    ehr_key_free(key);
    puts("copied, checked, cancelled, restored, repaired and salvaged");
    return 0;
}
