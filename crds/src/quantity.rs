//! Kubernetes quantities as whole bytes.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Why a text is not a number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a number of bytes: write a number with a unit such as Mi, Gi or Ti, for example \"10Gi\"")]
pub struct ParseBytesError(String);

/// A quantity as bytes: a decimal number with one of the suffixes of Kubernetes' resource quantities (`Ki`..`Ei`,
/// `m`, `k`..`E`) or an exponent. A part of a byte counts as a whole one, as Kubernetes rounds.
///
/// # Errors
/// What is not such a text, is negative, or is more than `i64::MAX` bytes.
pub fn bytes(quantity: &Quantity) -> Result<u64, ParseBytesError> {
    parse(&quantity.0)
        .filter(|value| *value <= i64::MAX.unsigned_abs())
        .ok_or_else(|| ParseBytesError(quantity.0.clone()))
}

fn parse(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (number, suffix) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // More digits than this are out of range or beyond any precision that a quantity has.
    if whole.len() + fraction.len() == 0 || whole.len() > 19 || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let (numerator, denominator) = scale(suffix)?;
    let denominator = denominator.checked_mul(10_u128.checked_pow(fraction.len().try_into().ok()?)?)?;
    u64::try_from(digits.checked_mul(numerator)?.div_ceil(denominator)).ok()
}

/// What a suffix multiplies by, as a fraction.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let binary = |power: u32| Some((1_u128 << (10 * power), 1));
    let decimal = |power: u32| Some((10_u128.pow(power), 1));
    match suffix {
        "" => decimal(0),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        "m" => Some((1, 1000)),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_u128.checked_pow(exponent.unsigned_abs()).filter(|_| exponent.unsigned_abs() <= 18)?;
            Some(if exponent < 0 { (1, power) } else { (power, 1) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_a_quantity() {
        for (text, expected) in [
            ("0", 0),
            ("1024", 1024),
            ("+5k", 5000),
            ("10Gi", 10 << 30),
            ("1.5Mi", 1_572_864),
            (".5Ki", 512),
            ("5.", 5),
            ("1500m", 2),
            ("2e3", 2000),
            ("2E3", 2000),
            ("25e-1", 3),
            ("1E", 1_000_000_000_000_000_000),
            ("7Ei", 7 << 60),
        ] {
            assert_eq!(bytes(&Quantity(text.to_owned())), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number_of_bytes() {
        for text in ["", ".", "Gi", "-1", "1 Gi", "1GiB", "1g", "1.2.3", "8Ei", "99999999999999999999", "1e99", "1e"] {
            let error = bytes(&Quantity(text.to_owned())).unwrap_err().to_string();
            assert!(error.contains("10Gi"), "{text}: {error}");
        }
    }
}
