//! The names that other pools, and SQLAlchemy elsewhere, have for an option.

/// Beside `max_connections`, which says two things.
const OTHERS: &[(&str, &str)] = &[
    ("acquire_timeout", "pool_timeout"),
    ("connection_timeout", "pool_timeout"),
    ("idle_timeout", "pool_max_idle_time"),
    ("max_lifetime", "pool_recycle"),
    ("min_connections", "pool_min_idle"),
    ("min_idle", "pool_min_idle"),
    ("statement_cache_capacity", "query_cache_size"),
    ("test_before_acquire", "pool_pre_ping"),
    ("test_on_check_out", "pool_pre_ping"),
];

/// Those of `create_pool_from_url`.
const SHORT: &[(&str, &str)] = &[
    ("echo", "echo_pool"),
    ("logging_name", "pool_logging_name"),
    ("pre_ping", "pool_pre_ping"),
    ("recycle", "pool_recycle"),
    ("reset_on_return", "pool_reset_on_return"),
    ("timeout", "pool_timeout"),
    ("use_lifo", "pool_use_lifo"),
];

/// The most that may be open: `pool_size`, with a `max_overflow` of 0.
pub(super) const MOST: &[&str] = &["max_connections", "max_size"];

/// Whose names a configuration has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Names {
    /// Those of `create_engine`.
    Engine,
    /// Those of `create_pool_from_url` too.
    Pool,
}

impl Names {
    /// The option's own name, or the one given.
    pub(super) fn option(self, name: &str) -> &str {
        let found = self.all().find(|(other, _)| *other == name);
        found.map_or(name, |(_, option)| option)
    }

    /// The name that was meant instead, if one is near.
    pub(super) fn nearest(
        self,
        name: &str,
        options: impl IntoIterator<Item = &'static str>,
    ) -> Option<&'static str> {
        let others = self.all().map(|(other, _)| other);
        let names = others.chain(MOST.iter().copied()).chain(options);
        let rated = names.map(|known| (likeness(name, known), known));
        let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
        best.and_then(|(likeness, known)| (likeness > ALIKE).then_some(known))
    }

    fn all(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let short = match self {
            Self::Engine => &[],
            Self::Pool => SHORT,
        };
        short.iter().chain(OTHERS).copied()
    }
}

/// From here on a name is taken for another one misspelt.
const ALIKE: f64 = 0.6;

/// From 0 to 1. `recycle` is `pool_recycle`.
fn likeness(name: &str, known: &str) -> f64 {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let like = |known| strsim::normalized_levenshtein(&name, known);
    like(known).max(known.strip_prefix("pool_").map_or(0.0, like))
}
