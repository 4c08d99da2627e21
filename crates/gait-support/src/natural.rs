//! The order in which people number files.

use std::cmp::Ordering;

/// Compares runs of digits as numbers, everything else byte by byte.
#[derive(PartialEq, Eq)]
pub struct NaturalOrder(
    /// The name.
    pub String,
);

impl Ord for NaturalOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        let mut a = self.0.as_bytes();
        let mut b = other.0.as_bytes();
        while !a.is_empty() && !b.is_empty() {
            let [digits_a, digits_b] = [a, b].map(leading_digits);
            let both_numbers = digits_a > 0 && digits_b > 0;
            let [run_a, run_b] = if both_numbers { [digits_a, digits_b] } else { [1, 1] };
            let order = if both_numbers {
                compare_numbers(&a[..run_a], &b[..run_b])
            } else {
                a[0].cmp(&b[0])
            };
            if order != Ordering::Equal {
                return order;
            }
            a = &a[run_a..];
            b = &b[run_b..];
        }
        a.len().cmp(&b.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for NaturalOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// Compares digits as numbers of any length.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let [a, b] = [a, b].map(without_zeros);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|b| **b == b'0').count()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_and_zeros_only_break_ties() {
        let mut names = ["a10", "b1", "a9", "a009", "a", "10", "9"].map(|n| NaturalOrder(n.into()));
        names.sort();
        let names: Vec<&str> = names.iter().map(|n| n.0.as_str()).collect();
        assert_eq!(names, ["9", "10", "a", "a009", "a9", "a10", "b1"]);
    }
}
