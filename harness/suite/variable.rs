//! Variables in the texts of a suite: `${NAME}`, `${NAME:-default}`, and `$${` for `${` itself.
//!
//! They are put in after the file was read, so a value cannot become YAML. A dollar before anything else is a dollar:
//! regular expressions and shells are full of them.

/// The most bytes that a text may have after its variables were put in.
pub(super) const MAX_TEXT: usize = 64 << 10;

/// Why a text's variables cannot be put in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum VariableError {
    /// Nobody sets it.
    #[error("the variable {0} is not set")]
    Missing(String),
    /// It is set to nothing.
    #[error("the variable {0} is empty")]
    Empty(String),
    /// `${` without `}`.
    #[error("`${{` without the `}}` that closes it")]
    Open,
    /// No name of a variable, or something that this format has not.
    #[error("`${{{0}}}` is no variable")]
    Form(String),
    /// More than a text may have.
    #[error("with its variables it has more than {MAX_TEXT} bytes")]
    TooLong,
}

impl VariableError {
    /// The next step.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Missing(name) | Self::Empty(name) => {
                format!("set it, or give it a value here, `${{{name}:-VALUE}}`, or below `variables:` at the top")
            }
            Self::Open => "write `${NAME}`, `${NAME:-default}`, or `$${` where it is no variable".to_owned(),
            Self::Form(_) => {
                "write `${NAME}` or `${NAME:-default}`, with letters, digits and `_`; `$${` where it is no variable"
                    .to_owned()
            }
            Self::TooLong => "give it a shorter value".to_owned(),
        }
    }
}

/// Whether a variable can be called so.
pub(super) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A text with its variables put in.
pub(super) fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, VariableError> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix("${") {
            expanded.push_str("${");
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (inside, after) = after.split_once('}').ok_or(VariableError::Open)?;
            expanded.push_str(&one(inside, value)?);
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
        if expanded.len() > MAX_TEXT {
            return Err(VariableError::TooLong);
        }
    }
    expanded.push_str(rest);
    if expanded.len() > MAX_TEXT { Err(VariableError::TooLong) } else { Ok(expanded) }
}

/// What stands for one variable.
fn one(inside: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, VariableError> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) || default.is_some_and(|default| default.contains("${")) {
        return Err(VariableError::Form(inside.chars().take(80).collect()));
    }
    match (value(name), default) {
        // As in a shell: a default counts for a variable that is empty, too.
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(VariableError::Missing(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn value(name: &str) -> Option<String> {
        match name {
            "TAG" => Some("3.20".to_owned()),
            "EMPTY" => Some(String::new()),
            "HOSTILE" => Some("x\n- {a: ${TAG}}".to_owned()),
            "LONG" => Some("x".repeat(40 << 10)),
            _ => None,
        }
    }

    #[rstest]
    #[case::no_variable("alpine:3", "alpine:3")]
    #[case::set("alpine:${TAG}", "alpine:3.20")]
    #[case::twice("${TAG}-${TAG}", "3.20-3.20")]
    #[case::set_with_a_default("${TAG:-3}", "3.20")]
    #[case::a_default("${NONE:-docker.io/library}/a", "docker.io/library/a")]
    #[case::an_empty_default("a${NONE:-}b", "ab")]
    #[case::set_and_empty("a${EMPTY}b", "ab")]
    #[case::empty_with_a_default("${EMPTY:-x}", "x")]
    #[case::two_dollars("$$5 $$", "$$5 $$")]
    #[case::two_dollars_before_a_brace("$$${TAG}", "$${TAG}")]
    #[case::the_process_of_a_shell("kill $$", "kill $$")]
    #[case::no_variable_after_two("$${TAG}", "${TAG}")]
    #[case::the_end_of_a_line("^ok$", "^ok$")]
    #[case::a_variable_of_a_shell("echo $TAG", "echo $TAG")]
    #[case::values_are_not_expanded("${HOSTILE}", "x\n- {a: ${TAG}}")]
    #[case::a_default_with_a_dollar("${NONE:-^a$}", "^a$")]
    fn variables_are_put_in(#[case] text: &str, #[case] wanted: &str) {
        assert_eq!(expand(text, &value).unwrap(), wanted);
    }

    #[rstest]
    #[case("${NONE}", VariableError::Missing("NONE".to_owned()))]
    #[case("a ${TAG", VariableError::Open)]
    #[case("${}", VariableError::Form(String::new()))]
    #[case("${TAG:?why}", VariableError::Form("TAG:?why".to_owned()))]
    #[case("${1}", VariableError::Form("1".to_owned()))]
    #[case("${A:-${TAG}}", VariableError::Form("A:-${TAG".to_owned()))]
    #[case("${LONG}${LONG}", VariableError::TooLong)]
    fn what_cannot_be_put_in_is_told(#[case] text: &str, #[case] wanted: VariableError) {
        assert_eq!(expand(text, &value), Err(wanted));
    }
}
