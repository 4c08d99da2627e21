//! What a mistyped name was meant to be.

/// The most similar of the known names, if any is similar at all. A dotted name is also compared by
/// its last part, so that `iterations` finds `train.iterations`.
pub fn nearest(name: &str, known: &[String]) -> Option<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let likeness = |candidate: &String| {
        strsim::jaro_winkler(name, candidate)
            .max(strsim::jaro_winkler(&last(name), &last(candidate)))
    };
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.75).then(|| best.clone())
}

/// What a message adds to an unknown name: ` (did you mean `nm-01`?)`, or nothing.
pub fn did_you_mean(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_similar_is_proposed() {
        let known = ["casia-b", "train.iterations"].map(String::from);
        let meant = |name| did_you_mean(nearest(name, &known).as_ref());
        assert_eq!(meant("casiab"), " (did you mean `casia-b`?)");
        assert_eq!(meant("iterations"), " (did you mean `train.iterations`?)");
        assert_eq!(meant("xyz"), "");
    }
}
