//! Which user a config's `User` is, and where that one's home is.
//!
//! As the OCI image spec's config.md says: `user`, `uid`, `user:group`, `uid:gid`, `uid:group`, `user:gid`. Names are
//! looked up in the image's own `/etc/passwd` and `/etc/group` (passwd(5), group(5)).

/// Who the commands run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) user: u32,
    pub(super) group: u32,
    /// The home directory; `/` where nothing names one.
    pub(super) home: String,
}

/// Finds the user; `passwd` and `group` are the texts of these files, empty where there are none.
///
/// # Errors
/// When a name is in neither, as half a sentence.
pub(super) fn find(user: &str, passwd: &str, group: &str) -> Result<User, String> {
    let (name, group_name) = match user.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (user, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let entries = || passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).filter(|fields| fields.len() >= 3);
    // A name counts before a number, as useradd allows names of digits; in practice there are none.
    let by_name = entries().find(|fields| fields.first() == Some(&name));
    let id = |text: &str| text.parse::<u32>().ok().filter(|id| *id < u32::MAX);
    let number = by_name.as_ref().and_then(|fields| id(fields.get(2)?)).or_else(|| id(name));
    let Some(number) = number else {
        return Err(format!("the user `{}` is not in the image's /etc/passwd", shown(name)));
    };
    let entry = by_name.or_else(|| entries().find(|fields| fields.get(2).and_then(|text| id(text)) == Some(number)));
    let group = match group_name.filter(|name| !name.is_empty()) {
        None => entry.as_ref().and_then(|fields| id(fields.get(3)?)).unwrap_or(0),
        Some(name) => {
            let of = |line: &str| {
                let mut fields = line.split(':');
                (fields.next() == Some(name)).then(|| id(fields.nth(1)?)).flatten()
            };
            group
                .lines()
                .find_map(of)
                .or_else(|| id(name))
                .ok_or_else(|| format!("the group `{}` is not in the image's /etc/group", shown(name)))?
        }
    };
    let home =
        entry.and_then(|fields| fields.get(5).map(|home| (*home).to_owned())).filter(|home| home.starts_with('/'));
    Ok(User { user: number, group, home: home.unwrap_or_else(|| "/".to_owned()) })
}

fn shown(name: &str) -> String {
    name.chars().take(80).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv/app:/bin/sh\nbroken\nodd:x:7:8::relative:/bin/sh\nshort:x:9:10\n";
    const GROUP: &str = "root:x:0:\nstaff:x:50:app\n";

    #[rstest]
    #[case("", (0, 0, "/root"))]
    #[case("root", (0, 0, "/root"))]
    #[case("app", (1000, 1001, "/srv/app"))]
    #[case("1000", (1000, 1001, "/srv/app"))]
    #[case("1000:50", (1000, 50, "/srv/app"))]
    #[case("app:staff", (1000, 50, "/srv/app"))]
    #[case("app:", (1000, 1001, "/srv/app"))]
    #[case("65532", (65532, 0, "/"))]
    #[case("65532:65532", (65532, 65532, "/"))]
    #[case(":50", (0, 50, "/root"))]
    #[case("odd", (7, 8, "/"))]
    #[case("short", (9, 10, "/"))]
    fn users_are_found(#[case] user: &str, #[case] wanted: (u32, u32, &str)) {
        let (user, group, home) = {
            let user = find(user, PASSWD, GROUP).unwrap();
            (user.user, user.group, user.home)
        };
        assert_eq!((user, group, home.as_str()), wanted);
    }

    #[rstest]
    #[case("nobody", "`nobody` is not in the image's /etc/passwd")]
    #[case("app:wheel", "`wheel` is not in the image's /etc/group")]
    #[case("4294967295", "not in the image's /etc/passwd")]
    #[case("-1", "not in the image's /etc/passwd")]
    #[case("broken", "not in the image's /etc/passwd")]
    fn unknown_names_are_said(#[case] user: &str, #[case] why: &str) {
        let error = find(user, PASSWD, GROUP).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
