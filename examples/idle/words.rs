//! Numbers as words for readers. This file knows no figure.

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size with a unit.
pub fn bytes(bytes: f64) -> String {
    match bytes.abs() {
        size if size < 10_240.0 => format!("{bytes:.0} B"),
        size if size < 10.0 * 1_048_576.0 => format!("{:.0} KiB", bytes / 1024.0),
        size if size < 10.0 * 1_073_741_824.0 => format!("{:.0} MiB", bytes / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!(
            [0, 999, 1_000, 19_987, 1_000_000].map(grouped),
            ["0", "999", "1,000", "19,987", "1,000,000"]
        );
    }

    #[test]
    fn sizes_have_a_unit_and_a_sign() {
        assert_eq!([0.0, 64.6, -20_480.0].map(bytes), ["0 B", "65 B", "-20 KiB"]);
    }
}
