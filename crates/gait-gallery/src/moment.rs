//! Times in texts.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a date such as 2027-03-31 nor a time in UTC such as 2027-03-31T12:00:00Z"
)]
pub struct NotATime(pub String);

/// The time that a text gives or, if it gives a date, the first second of that day in UTC.
///
/// # Errors
/// A text that is neither.
pub fn first_second(text: &str) -> Result<Timestamp, NotATime> {
    moment(text, Time::midnight())
}

/// The time that a text gives or, if it gives a date, the last second of that day in UTC.
///
/// # Errors
/// A text that is neither.
pub fn last_second(text: &str) -> Result<Timestamp, NotATime> {
    moment(text, Time::constant(23, 59, 59, 0))
}

fn moment(text: &str, of_day: Time) -> Result<Timestamp, NotATime> {
    let date = text.parse::<Date>().ok().filter(|_| !text.contains(['T', ' ', ':']));
    let moment = match date {
        Some(date) => TimeZone::UTC.to_timestamp(date.to_datetime(of_day)),
        None => text.parse(),
    };
    moment.map_err(|_| NotATime(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_in_utc_and_a_time_is_itself() {
        let said = |moment: Result<Timestamp, NotATime>| moment.unwrap().to_string();
        assert_eq!(said(first_second("2027-03-31")), "2027-03-31T00:00:00Z");
        assert_eq!(said(last_second("2027-03-31")), "2027-03-31T23:59:59Z");
        for edge in [first_second, last_second] {
            assert_eq!(said(edge("2027-03-31T12:00:00+02:00")), "2027-03-31T10:00:00Z");
            assert_eq!(edge("soon"), Err(NotATime("soon".to_owned())));
        }
    }
}
