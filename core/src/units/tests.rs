use super::table::{ATOMS, PREFIXES};
use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn number(text: &str) -> Decimal {
    Decimal::from_json(text.as_bytes()).expect("a JSON number")
}

fn code(result: Result<impl Sized>) -> Code {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => error.code(),
    }
}

#[test]
fn every_atom_of_the_table_has_a_meaning_and_a_name() {
    for atom in ATOMS {
        let unit = Unit::parse(atom.code).expect(atom.code);
        assert!(unit.is_special().is_ok(), "{}", atom.code);
        assert_eq!(unit.name(), format!("({})", atom.name));
    }
    assert_eq!((ATOMS.len(), PREFIXES.len()), (312, 24));
}

#[test]
fn what_the_grammar_does_not_allow_is_refused() {
    for text in [
        "", "/", "m/", "m.", ".m", "m..s", "m//s", "(m", "m)", "()", "m(s)", "(m)s", "{a", "a}", "{a{b}}", "m{a}2",
        "{a}m", "m s", " m", "m\n", "m{ä}", "[in_i", "-1", "+", "m+-1", "m^", "(/m)", "(m)2",
    ] {
        assert!(matches!(code(Unit::parse(text)), Code::UnitSyntax | Code::UnitUnknown), "{text}");
    }
    for text in ["mmHg", "iU", "k%", "mmin", "dah", "48h", "10+3", "kkg", "M", "Kg", "[foo]"] {
        assert_eq!(code(Unit::parse(text)), Code::UnitUnknown, "{text}");
    }
    for text in
        ["1", "/m", "{x}", "m{x}/s{y}", "1{x}", "/{x}", "((m))", "m+2", "m-2", "m0", "10*-3", "10^3", "[m/s2/Hz^(1/2)]"]
    {
        assert!(Unit::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn conversions_are_exact() {
    for (value, from, to, result) in [
        ("1", "[in_i]", "cm", "2.54"),
        ("1", "[lb_av]", "g", "453.59237"),
        ("120", "mm[Hg]", "kPa", "15.99864"),
        ("98.6", "[degF]", "Cel", "37"),
        ("37.0", "Cel", "K", "310.15"),
        ("-40", "Cel", "[degF]", "-40"),
        ("1000", "mCel", "K", "274.15"),
        ("100", "Cel", "[degRe]", "80"),
        ("1", "d", "s", "86400"),
        ("1", "a", "d", "365.25"),
        ("7.25", "mg/dL", "g/L", "0.0725"),
        ("1", "mol/L", "mmol/mL", "1"),
        ("10", "[IU]/L", "[iU]/dL", "1"),
        ("1", "10*3/uL", "10*9/L", "1"),
        ("50", "%", "1", "0.5"),
        ("1", "{cells}/uL", "/L", "1000000"),
        ("1", "m3/(kg.s2)", "m3/kg/s2", "1"),
        ("1", "mg/kg/d", "mg/(kg.d)", "1"),
        ("6.30", "mg", "mg", "6.30"),
    ] {
        assert_eq!(convert(&number(value), from, to).expect(from).as_str(), result, "{value} {from} -> {to}");
    }
}

#[test]
fn scales_convert_to_twelve_digits() {
    for (value, from, to, result) in [
        ("7", "[pH]", "mol/l", 1e-7),
        ("1e-7", "mol/l", "[pH]", 7.0),
        ("20", "dB", "1", 100.0),
        ("1", "Np", "1", std::f64::consts::E),
        ("3", "bit_s", "1", 8.0),
        ("2", "B[V]", "V", 10.0),
        ("1", "B[SPL]", "Pa", 2e-5 * 10_f64.sqrt()),
        ("100", "%[slope]", "deg", 45.0),
        ("100", "[p'diop]", "rad", std::f64::consts::FRAC_PI_4),
        ("3", "[m/s2/Hz^(1/2)]", "m2/s4/Hz", 9.0),
        ("2", "[hp'_X]", "1", 0.01),
        ("2", "[hp'_C]", "1", 1e-4),
        ("2", "[hp'_M]", "1", 1e-6),
        ("1", "[hp'_Q]", "1", 2e-5),
    ] {
        let made = convert(&number(value), from, to).expect(from).to_f64();
        assert!((made - result).abs() <= result.abs() * 1e-12, "{value} {from} -> {to}: {made}");
        let back = convert(&convert(&number(value), from, to).expect(from), to, from).expect(to).to_f64();
        assert!((back / number(value).to_f64() - 1.0).abs() < 1e-12, "{value} {from}: {back}");
    }
}

#[test]
fn a_clash_is_an_error_and_never_a_number() {
    for (from, to) in [
        ("mg", "mL"),
        ("mg/dL", "mmol/L"),
        ("[iU]", "mg"),
        ("[iU]", "[arb'U]"),
        ("[iU]", "1"),
        ("Cel", "m"),
        ("rad", "1"),
        ("[hp_C]", "[hp_X]"),
        ("g", "g2"),
    ] {
        assert_eq!(code(convert(&number("1"), from, to)), Code::UnitClash, "{from} -> {to}");
        assert_eq!(code(compare(&number("1"), from, &number("1"), to)), Code::UnitClash, "{from} ? {to}");
        let [a, b] = [from, to].map(|text| Unit::parse(text).expect(text));
        assert_eq!(a.is_comparable_with(&b).ok(), Some(false));
    }
    for text in ["Cel/s", "m/Cel", "Cel2", "[pH].Cel", "dB[SPL].m"] {
        assert_eq!(code(convert(&number("1"), text, "1")), Code::UnitSpecial, "{text}");
    }
    assert_eq!(code(multiply(&number("1"), "Cel", &number("1"), "1")), Code::UnitSpecial);
    assert_eq!(code(divide(&number("1"), "m", &number("0.0"), "s")), Code::UnitDivisor);
    for (value, from, to) in [("-1", "1", "dB"), ("0", "mol/l", "[pH]"), ("400", "[pH]", "mol/l"), ("1000", "B", "1")] {
        assert_eq!(code(convert(&number(value), from, to)), Code::UnitRange, "{value} {from}");
    }
}

#[test]
fn a_mass_becomes_an_amount_only_with_a_stated_molar_mass() {
    let molar = |value, from, to, mass| convert_with_molar_mass(&number(value), from, to, &number(mass));
    for (value, from, to, mass, result) in [
        ("90.078", "mg/dL", "mmol/L", "180.156", "5"),
        ("5", "mmol/L", "mg/dL", "180.156", "90.078"),
        ("88.42", "umol/L", "mg/L", "113.12", "10.0020704"),
        ("180.156", "g", "mol", "180.156", "1"),
        ("1", "g/L", "g/dL", "180.156", "0.1"),
    ] {
        assert_eq!(molar(value, from, to, mass).expect(from).as_str(), result, "{value} {from} -> {to}");
    }
    assert_eq!(code(molar("1", "mg/dL", "10*20/L", "180")), Code::UnitClash, "a number of what?");
    assert_eq!(code(molar("1", "mg/dL", "mmol", "180")), Code::UnitClash);
    assert_eq!(code(molar("1", "mL", "mmol", "180")), Code::UnitClash);
    for mass in ["0", "-1"] {
        assert_eq!(code(molar("1", "mg/dL", "mmol/L", mass)), Code::InvalidArgument);
    }
}

#[test]
fn a_scale_is_compared_by_its_values_and_across_units_by_what_is_behind_them() {
    let order = |a, a_unit, b, b_unit| compare(&number(a), a_unit, &number(b), b_unit).expect("comparable");
    assert_eq!(order("8", "[pH]", "7", "[pH]"), Ordering::Greater);
    assert_eq!(order("37", "Cel", "98.6", "[degF]"), Ordering::Equal);
    assert_eq!(order("38.0", "Cel", "98.6", "[degF]"), Ordering::Greater);
    assert_eq!(order("1.00", "g", "1000", "mg"), Ordering::Equal);
    assert_eq!(order("999", "mg", "1", "g"), Ordering::Less);
    assert_eq!(order("1e99999", "g", "1e99998", "g"), Ordering::Greater);
}

#[test]
fn canonical_forms_products_and_quotients_are_in_base_units() {
    let is = |result: Result<(Decimal, String)>, value: &str, unit: &str| {
        let (number, code) = result.expect(unit);
        assert_eq!((number.as_str(), &*code), (value, unit));
    };
    is(canonical(&number("1"), "N"), "1000", "g.m.s-2");
    is(canonical(&number("37"), "Cel"), "310.15", "K");
    is(canonical(&number("2"), "k[iU]/L"), "2000000", "[iU].m-3");
    is(canonical(&number("5"), "%"), "0.05", "1");
    is(multiply(&number("2"), "cm", &number("2"), "m"), "0.04", "m2");
    is(divide(&number("4.0"), "g", &number("2.0"), "m"), "2", "g.m-1");
    is(divide(&number("1"), "m", &number("1"), "cm"), "100", "1");
}

#[test]
fn names_are_in_words() {
    for (text, name) in [
        ("1", "(unity)"),
        ("1/m", "1 / (meter)"),
        ("mL/(kg.d)", "(milliliter) / ((kilogram) * (day))"),
        ("/uL", "1 / (microliter)"),
        ("10*9/L", "(the number ten for arbitrary powers ^ 9) / (liter)"),
        ("{rbc}/uL", "1 / (microliter)"),
    ] {
        assert_eq!(Unit::parse(text).expect(text).name(), name);
    }
    assert_eq!((Unit::one().as_str(), &*Unit::one().name()), ("1", "(unity)"));
}

/// Units as an attacker would write them: every one ends quickly, with an error or without.
#[test]
fn hostile_units_end_quickly() {
    let deep = format!("{}m{}", "(".repeat(40), ")".repeat(40));
    assert_eq!(code(Unit::parse(&deep)), Code::UnitLimit);
    assert_eq!(code(Unit::parse("m99999999999")), Code::UnitLimit);
    assert_eq!(code(Unit::parse("m1000")), Code::UnitLimit);
    assert_eq!(code(Unit::parse(&"m".repeat(513))), Code::UnitLimit);
    assert_eq!(code(convert(&number("1"), "Ym999", "m999")), Code::UnitLimit);
    assert_eq!(code(convert(&number("1e2000"), "m", "cm")), Code::UnitLimit);
    let nested = format!("{}m999{}", "(".repeat(30), ")".repeat(30));
    let hostile = [
        "[pi]/".repeat(100) + "[pi]",
        "[pi].".repeat(100) + "[pi]",
        "[c]/[h].".repeat(60) + "1",
        "u.".repeat(250) + "u",
        "m999.".repeat(100) + "m",
        "9".repeat(512),
        "(".repeat(100_000),
        "[".repeat(512),
        "{}".repeat(256),
        "1.".repeat(255) + "1",
        "10*999/10*999.".repeat(30) + "m",
        nested,
    ];
    let start = Instant::now();
    for text in &hostile {
        let _ = canonical(&number("1"), text); // an error or a number: what counts is that it ends
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn an_error_never_says_the_unit() {
    for text in ["Marker", "(Marker", "m{Marker"] {
        let error = Unit::parse(text).expect_err("no unit");
        assert!(!format!("{error} {error:?}").contains("Marker"));
    }
}

/// Units of one kind, for the laws.
fn kinds() -> impl Strategy<Value = (&'static str, &'static str)> {
    let groups: [&[&str]; 5] = [
        &["g", "mg", "kg", "[lb_av]", "[oz_tr]", "u", "[gr]", "t"],
        &["m", "[in_i]", "[ft_us]", "km", "AU", "[smoot]", "m2/m"],
        &["Pa", "mm[Hg]", "[psi]", "m[H2O]", "bar", "N/m2"],
        &["Cel", "K", "[degF]", "[degRe]", "mK"],
        &["mol/L", "mmol/mL", "/L", "10*9/uL", "%/dL"],
    ];
    (0..groups.len()).prop_flat_map(move |group| {
        (prop::sample::select(groups[group].to_vec()), prop::sample::select(groups[group].to_vec()))
    })
}

proptest! {
    #[test]
    fn there_and_back_is_the_same(digits in -1_000_000_000_i64..1_000_000_000, scale in 0_u32..9, (from, to) in kinds()) {
        let value = number(&format!("{digits}e-{scale}"));
        let back = convert(&convert(&value, from, to).expect(from), to, from).expect(to);
        let off = (Ratio::of(&back).expect("a number")).plus(&Ratio::of(&value).expect("a number").negated()).expect("near").to_f64();
        prop_assert!(off.abs() <= value.to_f64().abs().max(1.0) * 1e-25, "{value} {from} {to}: {back}");
    }

    #[test]
    fn a_canonical_form_is_its_own(digits in any::<i32>(), scale in 0_u32..9, (unit, _) in kinds()) {
        let (value, code) = canonical(&number(&format!("{digits}e-{scale}")), unit).expect(unit);
        prop_assert_eq!(canonical(&value, &code).expect("canonical"), (value, code));
    }

    #[test]
    fn comparing_the_other_way_round_is_the_reverse(a in any::<i16>(), b in any::<i16>(), (one, two) in kinds()) {
        let (a, b) = (number(&a.to_string()), number(&b.to_string()));
        let order = compare(&a, one, &b, two).expect("comparable");
        prop_assert_eq!(compare(&b, two, &a, one).expect("comparable"), order.reverse());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-zA-Z0-9.*/'%^(){}+\\[\\] -]{0,40}") {
        if let Ok(unit) = Unit::parse(&text) {
            let _ = canonical(&number("1"), unit.as_str()); // no panic
            prop_assert!(!unit.name().is_empty());
        }
    }
}
