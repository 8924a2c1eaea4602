// ehrcore for C++11: handles that release themselves, errors that are thrown. Everything is in ehrcore.h too.
#ifndef EHRCORE_HPP
#define EHRCORE_HPP

#include "ehrcore.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace ehrcore {

inline ehr_str text(const std::string &chars)
{
    ehr_str made;
    made.data = chars.data();
    made.length = chars.size();
    return made;
}

inline std::string copy(ehr_str lent) { return lent.length ? std::string(lent.data, lent.length) : std::string(); }

/// A failed call: what() says where, what was expected and what was found; never record content.
class Error : public std::runtime_error {
public:
    Error(ehr_status code, const std::string &message) : std::runtime_error(message), code_(code) {}
    ehr_status code() const noexcept { return code_; }
    /// How to mend it, in a sentence or two.
    std::string mend() const { return copy(ehr_status_mend(code_)); }

private:
    ehr_status code_;
};

inline void check(ehr_status status, ehr_error *const &error)
{
    if (status == EHR_OK)
        return;
    std::string message = copy(ehr_error_message(error));
    ehr_error_free(error);
    throw Error(status, message);
}

template <class T, void (*release)(T *)>
struct Release {
    void operator()(T *handle) const noexcept { release(handle); }
};

template <class T, void (*release)(T *)>
using Handle = std::unique_ptr<T, Release<T, release>>;

/// One version of one record.
class Record {
public:
    explicit Record(ehr_record *handle) : handle_(handle) {}
    std::string kind() const { return copy(ehr_record_kind(handle_.get())); }
    std::string id() const { return copy(ehr_record_id(handle_.get())); }
    std::string bytes() const { return copy(ehr_record_bytes(handle_.get())); }
    unsigned version() const { return ehr_record_version(handle_.get()); }

private:
    Handle<ehr_record, ehr_record_free> handle_;
};

/// One actor, one purpose: the only way to what is in a store.
class Session {
public:
    explicit Session(ehr_session *handle) : handle_(handle) {}

    Record read(const std::string &kind, const std::string &id) const
    {
        ehr_record *record = nullptr;
        ehr_error *error = nullptr;
        check(ehr_session_read(handle_.get(), text(kind), text(id), &record, &error), error);
        return Record(record);
    }
    Record write(const std::string &resource) const
    {
        ehr_record *record = nullptr;
        ehr_error *error = nullptr;
        check(ehr_session_write(handle_.get(), text(resource), &record, &error), error);
        return Record(record);
    }
    /// Every record that matches, page after page.
    std::vector<Record> search(const std::string &kind, const std::string &query) const
    {
        std::vector<Record> found;
        std::string from;
        do {
            ehr_page *page = nullptr;
            ehr_error *error = nullptr;
            check(ehr_session_search(handle_.get(), text(kind), text(query), text(from), &page, &error), error);
            Handle<ehr_page, ehr_page_free> owned(page);
            for (size_t i = 0; i < ehr_page_count(page); i++) {
                ehr_record *record = nullptr;
                check(ehr_page_record(page, i, &record, &error), error);
                found.push_back(Record(record));
            }
            from = copy(ehr_page_next(page));
        } while (!from.empty());
        return found;
    }

private:
    Handle<ehr_session, ehr_session_free> handle_;
};

/// An open store.
class Store {
public:
    static Store create(const std::string &file, const std::string &key) { return Store(file, key, ehr_create); }
    static Store open(const std::string &file, const std::string &key) { return Store(file, key, ehr_open); }

    Session session(const std::string &actor, const std::string &role, const std::string &purpose, const std::string &patient = std::string()) const
    {
        ehr_actor who = ehr_actor();
        who.size = sizeof who;
        who.id = text(actor);
        who.role = text(role);
        who.patient = text(patient);
        ehr_session *session = nullptr;
        ehr_error *error = nullptr;
        check(ehr_session_open(handle_.get(), &who, text(purpose), &session, &error), error);
        return Session(session);
    }

private:
    template <class Call>
    Store(const std::string &file, const std::string &bytes, Call call)
    {
        ehr_key *key = nullptr;
        ehr_error *error = nullptr;
        check(ehr_key_raw(text(bytes), &key, &error), error);
        Handle<ehr_key, ehr_key_free> owned(key);
        ehr_store *store = nullptr;
        check(call(text(file), key, &store, &error), error);
        handle_.reset(store);
    }

    Handle<ehr_store, ehr_store_free> handle_;
};

} // namespace ehrcore

#endif
