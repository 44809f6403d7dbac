//! Whether a text is a date and time as in RFC 3339. It is only checked: the producer's spelling is what is delivered.

use jiff::civil::Date;

/// True for `date-time` of RFC 3339, section 5.6, on a day that exists. Leap seconds are let pass.
pub(super) fn is_date_time(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let rest = &mut rest;
    parse(rest).is_some() && rest.is_empty()
}

fn parse(rest: &mut &[u8]) -> Option<()> {
    let year = number(rest, 4)?;
    literal(rest, b"-")?;
    let month = number(rest, 2)?;
    literal(rest, b"-")?;
    let day = number(rest, 2)?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    literal(rest, b"Tt")?;
    at_most(rest, 23)?;
    literal(rest, b":")?;
    at_most(rest, 59)?;
    literal(rest, b":")?;
    at_most(rest, 60)?;
    if literal(rest, b".").is_some() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *rest = rest.get(digits..).filter(|_| digits > 0)?;
    }
    if literal(rest, b"Zz").is_none() {
        literal(rest, b"+-")?;
        at_most(rest, 23)?;
        literal(rest, b":")?;
        at_most(rest, 59)?;
    }
    Some(())
}

fn literal(rest: &mut &[u8], one_of: &[u8]) -> Option<()> {
    let (first, after) = rest.split_first()?;
    one_of.contains(first).then(|| *rest = after)
}

fn at_most(rest: &mut &[u8], max: i16) -> Option<()> {
    number(rest, 2).filter(|value| *value <= max).map(drop)
}

fn number(rest: &mut &[u8], digits: usize) -> Option<i16> {
    let (number, after) = rest.split_at_checked(digits)?;
    *rest = after;
    number.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i16::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc_and_their_like_are_dates() {
        for fine in [
            "1985-04-12T23:20:50.52Z",
            "1996-12-19T16:39:57-08:00",
            "1990-12-31T23:59:60Z",
            "1937-01-01T12:00:27.87+00:20",
            "2024-02-29t00:00:00z",
            "0000-01-01T00:00:00Z",
            "2026-01-01T00:00:00.1234567890123456789Z",
        ] {
            assert!(is_date_time(fine), "{fine}");
        }
    }

    #[test]
    fn everything_else_is_none() {
        for wrong in [
            "",
            "2026-01-01",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00Z",
            "2026-01-01T24:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00Z ",
            "2026-01-01T00:00:00Z[UTC]",
            "1767225600",
            "２026-01-01T00:00:00Z",
        ] {
            assert!(!is_date_time(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_time_that_we_print_is_one(seconds in -60_000_000_000_i64..250_000_000_000, nanos in 0..1_000_000_000) {
            let time = jiff::Timestamp::new(seconds, nanos).unwrap();
            for printed in [time.to_string(), format!("{time:.3}")] {
                prop_assert!(is_date_time(&printed), "{}", printed);
            }
        }
    }
}
