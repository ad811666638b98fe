/// Attempts under way for those who wait: connects, or pings. Each counts as one caller attended to,
/// until it has outlasted a caller's patience; such a one may hang for ever, and nobody else shall
/// have to wait for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attention {
    under_way: usize,
    overdue: usize,
}

impl Attention {
    /// How many callers are attended to.
    pub(super) fn callers(self) -> usize {
        self.under_way - self.overdue
    }

    pub(super) fn overdue(self) -> usize {
        self.overdue
    }

    pub(super) fn begin(&mut self) {
        self.under_way += 1;
    }

    /// Nobody knows whether it was one of those that are overdue. If it was not, one more is.
    pub(super) fn end(&mut self) {
        self.under_way -= 1;
        self.overdue = self.overdue.min(self.under_way);
    }

    /// A caller's time was up, and this is what it waited for. False if there is none.
    pub(super) fn outlasted(&mut self) -> bool {
        let is_one = self.callers() > 0;
        self.overdue += usize::from(is_one);
        is_one
    }
}
