//! Results as text: one row as soon as it is measured, and the table, which is Markdown, at the end.

use super::{Check, Figure, Line, Target, Verdict};

/// A row, for those who wait.
pub fn block(line: &Line) -> String {
    let mut text = format!("{} ({}): {}\n", line.row, line.what, word(line.verdict));
    if let Some(error) = &line.error {
        text += &format!("  {error}\n");
    }
    for check in &line.measured.checks {
        let mark = if check.pass { "" } else { ", short" };
        text += &format!("  {}  ({}{mark})\n", figure(&check.figure), target(check));
    }
    for beside in &line.measured.beside {
        text += &format!("    {}\n", figure(beside));
    }
    text
}

/// All rows.
pub fn table(lines: &[Line]) -> String {
    let mut text = "| row | what | wanted | measured | |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for line in lines {
        let checks = &line.measured.checks;
        let wanted = checks.iter().map(target).collect::<Vec<_>>().join("<br>");
        let measured = match &line.error {
            Some(error) => error.replace(['|', '\n'], " "),
            None => checks.iter().map(|check| figure(&check.figure)).collect::<Vec<_>>().join("<br>"),
        };
        text += &format!("| {} | {} | {wanted} | {measured} | {} |\n", line.row, line.what, word(line.verdict));
    }
    text
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Short => "short",
        Verdict::Failed => "could not be run",
    }
}

fn figure(figure: &Figure) -> String {
    format!("{}: {}", figure.what, with_unit(figure.value, figure.unit))
}

fn target(check: &Check) -> String {
    let (word, bound) = match check.target {
        Target::AtLeast(bound) => ("at least", bound),
        Target::AtMost(bound) => ("at most", bound),
        Target::Below(bound) => ("below", bound),
    };
    format!("{word} {}", with_unit(bound, check.figure.unit))
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {unit}", number(value)).trim_end().to_owned()
}

/// Three significant digits below a thousand, and thousands apart.
fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "unknown".to_owned()
    } else if size >= 100.0 {
        thousands(&format!("{value:.0}"))
    } else if (value - value.round()).abs() < 1e-9 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Measured;

    #[test]
    fn numbers_are_short_and_readable() {
        let cases = [(0.2468, "0.247"), (2.0, "2"), (2.345, "2.35"), (23.45, "23.4"), (1_234_567.8, "1,234,568")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!((number(999.7), number(f64::NAN)), ("1,000".to_owned(), "unknown".to_owned()));
    }

    #[test]
    fn the_table_says_what_is_wanted_what_is_and_whether_that_is_enough() {
        let measured = Measured::default().check("p99", 7.5, "ms", Target::Below(5.0)).beside("bare", 1.0, "ms");
        let short = Line::new("latency".to_owned(), "open loop".to_owned(), Ok(measured));
        let failed = Line::new("idle".to_owned(), "idle".to_owned(), Err(anyhow::anyhow!("a|b")));
        let text = table(&[short.clone(), failed]);
        assert!(text.contains("| latency | open loop | below 5 ms | p99: 7.50 ms | short |"), "{text}");
        assert!(text.contains("| idle | idle |  | a b | could not be run |"), "{text}");
        assert!(block(&short).contains("    bare: 1 ms"));
    }
}
