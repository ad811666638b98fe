use super::options::Options;

/// Which short cuts a checkout and a return may take. Follows from the options and from the rest of
/// the machine's state, and is brought up to date whenever that changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShortCuts {
    /// A connection at rest can be lent with no question asked, not even what time it is.
    pub(super) lends_plainly: bool,
    /// It can be lent with a look at its age.
    pub(super) lends_by_age: bool,
    /// A clean connection can be put to rest with no question asked.
    pub(super) rests_plainly: bool,
    /// It can be put to rest with a look at its age.
    pub(super) rests_by_age: bool,
    /// What the options say.
    can_lend: bool,
    can_rest: bool,
    is_timed: bool,
}

impl ShortCuts {
    pub(super) fn new(options: &Options) -> Self {
        let pings_always = options.pre_ping && options.ping_after_idle.is_none();
        Self {
            lends_plainly: false,
            lends_by_age: false,
            rests_plainly: false,
            rests_by_age: false,
            can_lend: !pings_always && options.min_idle == 0 && !options.class.lends_once(),
            can_rest: !options.reset_always && !options.measure_use && !options.renew_at_rest,
            is_timed: options.need_time(),
        }
    }

    pub(super) fn update(&mut self, lends: bool, rests: bool) {
        let (lends, rests) = (lends && self.can_lend, rests && self.can_rest);
        self.lends_plainly = lends && !self.is_timed;
        self.lends_by_age = lends && self.is_timed;
        self.rests_plainly = rests && !self.is_timed;
        self.rests_by_age = rests && self.is_timed;
    }
}
