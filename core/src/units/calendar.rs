//! Calendar durations as FHIRPath writes them (`1 year`, `3 days`) beside the units of UCUM.

/// A calendar duration. A year and a month have no fixed length; the others are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CalendarUnit {
    /// A thousandth of a second.
    Millisecond,
    /// One second.
    Second,
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// A calendar month.
    Month,
    /// 12 calendar months.
    Year,
}

/// Every calendar unit with its words and the UCUM unit nearest to it.
const WORDS: [(CalendarUnit, &str, &str, &str); 8] = [
    (CalendarUnit::Millisecond, "millisecond", "milliseconds", "ms"),
    (CalendarUnit::Second, "second", "seconds", "s"),
    (CalendarUnit::Minute, "minute", "minutes", "min"),
    (CalendarUnit::Hour, "hour", "hours", "h"),
    (CalendarUnit::Day, "day", "days", "d"),
    (CalendarUnit::Week, "week", "weeks", "wk"),
    (CalendarUnit::Month, "month", "months", "mo"),
    (CalendarUnit::Year, "year", "years", "a"),
];

impl CalendarUnit {
    /// The unit of a word, in the singular or plural.
    pub fn of_word(word: &str) -> Option<Self> {
        WORDS.iter().find(|(_, one, many, _)| word == *one || word == *many).map(|row| row.0)
    }
    /// The word, in the singular.
    pub fn word(self) -> &'static str {
        WORDS[self as usize].1
    }
    /// The UCUM unit nearest to it: equal where [`CalendarUnit::is_exact`], else good for equivalence only.
    pub fn ucum(self) -> &'static str {
        WORDS[self as usize].3
    }
    /// The calendar unit nearest to a UCUM unit.
    pub fn of_ucum(unit: &str) -> Option<Self> {
        WORDS.iter().find(|row| row.3 == unit).map(|row| row.0)
    }
    /// Whether one of it always lasts as long as one of its UCUM unit.
    pub fn is_exact(self) -> bool {
        self < CalendarUnit::Month
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_units_go_there_and_back() {
        for (unit, one, many, ucum) in WORDS {
            assert_eq!(CalendarUnit::of_word(one), Some(unit));
            assert_eq!(CalendarUnit::of_word(many), Some(unit));
            assert_eq!(CalendarUnit::of_ucum(unit.ucum()), Some(unit));
            assert_eq!((unit.word(), unit.ucum()), (one, ucum));
            assert!(super::super::Unit::parse(ucum).is_ok());
        }
        assert_eq!(CalendarUnit::of_word("fortnight"), None);
        assert!(CalendarUnit::Week.is_exact() && !CalendarUnit::Month.is_exact() && !CalendarUnit::Year.is_exact());
    }
}
