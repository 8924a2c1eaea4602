//! UCUM: units parsed, checked, compared and converted with exact arithmetic.
