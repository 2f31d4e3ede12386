//! Which trials are meant, by the rules of `cargo test`.

/// What was asked for. Names are compared as they are, case included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A trial is meant where one of these is in its name; all are, where there is none.
    pub filters: Vec<String>,
    /// Names are meant whole.
    pub exact: bool,
    /// What is not meant, whatever else is.
    pub skip: Vec<String>,
}

impl Filter {
    /// Whether a trial of this name is meant.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        let fits = |wanted: &String| if self.exact { name == wanted } else { name.contains(wanted.as_str()) };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skip.iter().any(fits)
    }
}

/// A part of the work, for several machines: `3/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    number: u64,
    /// Of how many.
    of: u64,
}

/// The most shards.
const MAX_SHARDS: u64 = 10_000;

impl Shard {
    /// Which, from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Of how many.
    #[must_use]
    pub const fn of(self) -> u64 {
        self.of
    }

    /// Whether this shard has the trials of a group: what is checked of one image on one platform.
    ///
    /// A group is never divided, so the containers of a platform are made by one machine, which reads its layers; beside
    /// it only the trial of the whole image does, which compares its platforms. The place of a group is
    /// a digest of its name: it does not change with other groups, machines and versions.
    #[must_use]
    pub fn has(self, group: &str) -> bool {
        xxhash_rust::xxh3::xxh3_64(group.as_bytes()) % self.of == self.number - 1
    }
}

/// Why a text is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is NUMBER/COUNT, such as 3/16: the number from 1 to the count, which is at most {MAX_SHARDS}")]
pub struct NoShard;

impl std::str::FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let (number, of) = text.split_once('/').ok_or(NoShard)?;
        // `parse` takes a plus sign, which nobody means.
        let parsed = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let (number, of) = (parsed(number).ok_or(NoShard)?, parsed(of).ok_or(NoShard)?);
        let is_one = (1..=MAX_SHARDS).contains(&of) && (1..=of).contains(&number);
        if is_one { Ok(Self { number, of }) } else { Err(NoShard) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[rstest]
    #[case("", false, "", true)]
    #[case("arm64", false, "", true)]
    #[case("arm64 amd64", false, "", true)]
    #[case("amd64", false, "", false)]
    #[case("ARM64", false, "", false)]
    #[case("arm64", false, "run", false)]
    #[case("", false, "run", false)]
    #[case("arm64", true, "", false)]
    #[case("s/app/linux-arm64/run/version", true, "", true)]
    // As in libtest: what is skipped is meant whole too.
    #[case("", true, "run", true)]
    #[case("", true, "s/app/linux-arm64/run/version", false)]
    fn names_are_taken_as_cargo_test_does(
        #[case] filters: &str,
        #[case] exact: bool,
        #[case] skip: &str,
        #[case] wanted: bool,
    ) {
        let filter = Filter { filters: words(filters), exact, skip: words(skip) };
        assert_eq!(filter.takes("s/app/linux-arm64/run/version"), wanted);
    }

    #[rstest]
    #[case("0/16")]
    #[case("17/16")]
    #[case("3")]
    #[case("3/")]
    #[case("/16")]
    #[case("+3/16")]
    #[case("3/0")]
    #[case("-1/3")]
    #[case("1/10001")]
    fn what_is_no_shard_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Shard>(), Err(NoShard));
    }

    #[test]
    fn each_group_is_in_one_shard() {
        let shards: Vec<Shard> = (1..=16).map(|n| format!("{n}/16").parse().unwrap()).collect();
        let mut filled = [0; 16];
        for number in 0..1000 {
            let group = format!("suite/image-{number}/linux-arm64");
            let of: Vec<usize> = (0..16).filter(|&at| shards[at].has(&group)).collect();
            let [one] = of[..] else { panic!("{group} is in {of:?}") };
            filled[one] += 1;
        }
        assert!(filled.iter().all(|&groups| groups > 30), "{filled:?}");
    }

    /// Machines of different versions share the work: a place never moves.
    #[rstest]
    #[case("release/app/linux-arm64", 12)]
    #[case("release/app/linux-amd64", 14)]
    #[case("release/host", 1)]
    fn places_do_not_move(#[case] group: &str, #[case] wanted: u64) {
        let at = (1..=16).find(|n| format!("{n}/16").parse::<Shard>().unwrap().has(group));
        assert_eq!(at, Some(wanted));
    }
}
