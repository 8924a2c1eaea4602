// One clinic day in C++11: make a store, write a patient, see a bad record refused, search, read back.
//
//   clinic STORE-FILE
#include "ehrcore.hpp"

#include <iostream>

int main(int argc, char **argv)
{
    if (argc < 2) {
        std::cerr << "usage: clinic STORE-FILE\n";
        return 2;
    }
    try {
        // A product asks its key management; see ehr_key_host().
        ehrcore::Store store = ehrcore::Store::create(argv[1], std::string(32, 'k'));
        ehrcore::Session session = store.session("dr-grey", "physician", "TREAT");
        const std::string patient = "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"name\":[{\"family\":\"Doe\"}]}";
        std::cout << "stored version " << session.write(patient).version() << "\n";
        try {
            session.write("{\"resourceType\":\"Patient\",\"id\":\"p2\",\"gender\":\"F\"}");
            return 1;
        } catch (const ehrcore::Error &error) {
            if (error.code() != EHR_RECORD_INVALID)
                return 1;
            std::cout << "refused, as it should be: " << error.what() << "\n";
        }
        if (session.search("Patient", "name=doe").size() != 1 || session.read("Patient", "p1").bytes() != patient)
            return 1;
        std::cout << "found, and read back equal\n";
        return 0;
    } catch (const ehrcore::Error &error) {
        std::cerr << error.what() << "\n" << error.mend() << "\n";
        return 1;
    }
}
