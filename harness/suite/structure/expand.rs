//! `$NAME` and `${NAME}` in words, exactly as Go's `os.Expand` does it: a shell's special parameters are names too, and
//! what is no name is dropped or left alone. So `$1` and `$(..)` of a `sh -c` script come out mangled, as they do in
//! container-structure-test.

/// Puts in what `value` says; a name that it does not know becomes nothing.
pub(super) fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, dollar) = rest.split_at(at);
        out.push_str(before);
        let after = dollar.get(1..).unwrap_or_default();
        if after.is_empty() {
            out.push('$');
        }
        let (name, taken) = name(after);
        match (name, taken) {
            // `$(`: no name at all.
            ("", 0) if !after.is_empty() => out.push('$'),
            // `${}` and a brace that is not closed go.
            ("", _) => {}
            (name, _) => out.push_str(&value(name).unwrap_or_default()),
        }
        rest = after.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The name after a dollar, and how many bytes it takes.
fn name(after: &str) -> (&str, usize) {
    let bytes = after.as_bytes();
    match bytes.first() {
        Some(b'{') => match after.find('}') {
            Some(1) => ("", 2),
            Some(end) => (after.get(1..end).unwrap_or_default(), end + 1),
            None => ("", 1),
        },
        Some(b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-' | b'0'..=b'9') => (after.get(..1).unwrap_or_default(), 1),
        _ => {
            let end = bytes.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(bytes.len());
            (after.get(..end).unwrap_or_default(), end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Each row is what container-structure-test 1.19.1 made of it.
    #[rstest]
    #[case("$GREETING", "hello")]
    #[case("${GREETING}x", "hellox")]
    #[case("$GREETING-b", "hello-b")]
    #[case("$1$$", "")]
    #[case("$(ls)", "$(ls)")]
    #[case("a$", "a$")]
    #[case("${", "")]
    #[case("${}", "")]
    #[case("$UNSET|", "|")]
    #[case("${GREETING", "GREETING")]
    #[case("$-x", "x")]
    #[case("$*", "")]
    #[case("${a b}", "")]
    #[case("$é", "$é")]
    #[case("$12", "2")]
    #[case("${GREETING}${GREETING}", "hellohello")]
    #[case("", "")]
    fn it_is_gos(#[case] text: &str, #[case] wanted: &str) {
        assert_eq!(expand(text, &|name| (name == "GREETING").then(|| "hello".to_owned())), wanted);
    }
}
