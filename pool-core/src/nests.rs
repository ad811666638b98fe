//! Connections that threads keep to themselves while they contend for the machine's lock.
//!
//! A nest keeps one lease that its thread has returned, for the next checkout of that thread; to the
//! machine that connection is still lent. So threads that would all write to the lock, the list and
//! the pool's count of references write to memory of their own instead.
//!
//! Nests are open only while the machine would take its short cuts: nobody waits, nothing is listened
//! to, limited by age or in excess. Whoever enters the machine for anything but those short cuts
//! closes them first, under its lock, and what they keep is back in it: nobody waits while a connection
//! is in a nest, and no number, place or generation is out of date. They also close when a connection
//! has come back past them often enough, and are opened again only where threads are seen to contend:
//! so the order in which connections are lent is bent for so long, and then only.

use std::sync::{Arc, OnceLock};

use crate::{
    connector::Connector,
    held::HeldEntry,
    lease::{Lease, Loan},
    machine::{Borrower, Generation, Residue, SlotId},
    mark::thread_mark,
    now::now,
    runtime::Runtime,
    shared::{PoolMachine, Shared},
    sync::{Apart, AtomicBool, AtomicU32, Guard, Lock, Ordering},
};

/// How often in a row a nest keeps what comes back to it, before it is the turn of another connection.
const ROW: u32 = 64;
/// How many connections may come back past the nests before they are closed, for each nest.
const TURNS: u32 = 8;

/// A nest's place among the others.
pub(crate) type NestId = u8;

type Cell<K, R> = Arc<Apart<Lock<Nest<K, R>>>>;

/// All nests of a pool.
pub(crate) struct Nests<K: Connector, R: Runtime> {
    /// Whether it is worth looking into one; each knows itself, under its lock, whether it is open.
    /// Changes under the machine's lock.
    are_open: AtomicBool,
    /// How many connections may yet come back past them. Used under the machine's lock.
    turns: AtomicU32,
    /// Made when they are first opened.
    cells: OnceLock<Box<[Cell<K, R>]>>,
}

/// Never keeps one connection and has another one lent.
struct Nest<K: Connector, R: Runtime> {
    /// Which connections it keeps; none while it is closed.
    open: Option<Generation>,
    kept: Option<Loan<K, R>>,
    /// Who has what it kept: the machine knows of an earlier borrower.
    lent: Option<(SlotId, Borrower)>,
    /// Checkouts that the machine has not counted.
    checkouts: u64,
    /// How often it yet keeps what comes back, in this row.
    left: u32,
}

impl<K: Connector, R: Runtime> Nest<K, R> {
    fn new(open: Option<Generation>) -> Self {
        Self {
            open,
            kept: None,
            lent: None,
            checkouts: 0,
            left: ROW,
        }
    }

    fn lend(&mut self, borrower: Borrower) -> Option<Loan<K, R>> {
        let loan = self.kept.take()?;
        self.lent = Some((loan.entry.slot(), borrower));
        self.checkouts += 1;
        Some(loan)
    }

    /// Keeps what comes back, if the machine would put it to rest with no question asked; else it is
    /// given back.
    fn keep(&mut self, loan: Loan<K, R>) -> Option<Loan<K, R>> {
        let slot = loan.entry.slot();
        let is_free = self.kept.is_none() && self.lent.is_none_or(|(lent, _)| lent == slot);
        if !is_free
            || self.open != Some(loan.entry.generation())
            || !loan.entry.connection.is_plain()
        {
            return Some(loan);
        }
        if self.left == 0 {
            self.left = ROW;
            return Some(loan);
        }
        self.left -= 1;
        (self.kept, self.lent) = (Some(loan), None);
        None
    }
}

impl<K: Connector, R: Runtime> Nests<K, R> {
    pub(crate) fn new() -> Self {
        Self {
            are_open: AtomicBool::new(false),
            turns: AtomicU32::new(0),
            cells: OnceLock::new(),
        }
    }

    /// Whether it is worth looking into one.
    #[inline(always)]
    pub(crate) fn are_open(&self) -> bool {
        self.are_open.load(Ordering::Relaxed)
    }

    #[inline]
    fn cells(&self) -> &[Cell<K, R>] {
        self.cells.get().map_or(&[], |cells| cells)
    }

    /// The nest of the calling thread, which may be another thread's too.
    #[inline]
    fn mine(&self) -> Option<(NestId, &Cell<K, R>)> {
        let cells = self.cells();
        // A mark is odd, and there is a power of two of nests.
        let at = (thread_mark() >> 1) & cells.len().wrapping_sub(1);
        Some((at as NestId, cells.get(at)?))
    }

    /// Under the machine's lock.
    fn open(&self, generation: Generation) {
        let cells = self
            .cells
            .get_or_init(|| (0..count()).map(|_| closed()).collect());
        for cell in cells {
            *cell.lock() = Nest::new(Some(generation));
        }
        self.turns.store(TURNS * count() as u32, Ordering::Relaxed);
        self.are_open.store(true, Ordering::Relaxed);
    }

    /// Under the machine's lock: a connection comes back past the nests.
    fn is_turn_over(&self) -> bool {
        let left = self.turns.load(Ordering::Relaxed);
        self.turns.store(left.saturating_sub(1), Ordering::Relaxed);
        left == 0
    }

    /// What a nest has lent comes back to the machine, under whose lock this is.
    fn forget(&self, entry: &mut HeldEntry<K, R>) {
        let nest = entry.connection.nest.take();
        if let Some(cell) = nest.and_then(|at| self.cells().get(usize::from(at))) {
            let mut nest = cell.lock();
            nest.lent = nest.lent.filter(|(lent, _)| *lent != entry.slot());
        }
    }
}

fn closed<K: Connector, R: Runtime>() -> Cell<K, R> {
    Arc::new(Apart(Lock::new(Nest::new(None))))
}

/// A power of two: some for each core, so that two threads seldom share one.
fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        if cfg!(loom) {
            return 2;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (4 * cores).next_power_of_two().clamp(8, 64)
    })
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    /// What the calling thread's nest keeps.
    #[inline]
    pub(crate) fn lend_from_nest(&self, borrower: Borrower, waits: bool) -> Option<Lease<K, R>> {
        let (at, cell) = self.nests.mine()?;
        let mut loan = cell.try_lock()?.lend(borrower)?;
        loan.entry.connection.nest = Some(at);
        Some(Lease::of(loan, waits))
    }

    /// The machine, for a checkout that found that somebody else had it.
    pub(crate) fn contended(&self) -> Guard<'_, PoolMachine<K, R>> {
        let machine = self.machine.lock();
        if machine.is_plain() && !self.nests.are_open() {
            self.nests.open(machine.generation());
        }
        machine
    }

    /// Brings back to the machine what nests keep, and what it does not know of what they lent.
    #[cold]
    #[inline(never)]
    pub(crate) fn close_nests(&self, machine: &mut PoolMachine<K, R>) {
        self.nests.are_open.store(false, Ordering::Relaxed);
        for cell in self.nests.cells() {
            let nest = std::mem::replace(&mut *cell.lock(), Nest::new(None));
            machine.lent_aside(nest.checkouts);
            if let Some((slot, borrower)) = nest.lent {
                machine.relent(slot, borrower);
            }
            if let Some(Loan { entry, .. }) = nest.kept {
                let to_reset = machine.given_back(entry, Residue::Clean, &now);
                debug_assert!(to_reset.is_none(), "what a nest keeps is clean");
            }
        }
    }
}

/// A clean connection comes back while nests are open, or while somebody else has the machine.
#[inline(never)]
pub(crate) fn take_back_to_nest<K: Connector, R: Runtime>(loan: Loan<K, R>, waits: bool) {
    let Some(Loan { shared, mut entry }) = keep(loan) else {
        return;
    };
    if !shared.nests.are_open() || shared.is_foreign() {
        return shared.take_back_slowly(entry, Residue::Clean, waits);
    }
    let mut machine = shared.machine.lock();
    shared.nests.forget(&mut entry);
    if shared.nests.are_open() && shared.nests.is_turn_over() {
        shared.close_nests(&mut machine);
    }
    match machine.rest_plainly(entry) {
        None => shared.leave(machine),
        Some(entry) => shared.rest_by_age(machine, entry, waits),
    }
}

/// In the nest of the calling thread, if it may; else it is given back.
fn keep<K: Connector, R: Runtime>(loan: Loan<K, R>) -> Option<Loan<K, R>> {
    let Some((at, cell)) = loan.shared.nests.mine() else {
        return Some(loan);
    };
    // What another nest has lent, that nest must be told of.
    if loan.entry.connection.nest.is_some_and(|nest| nest != at) {
        return Some(loan);
    }
    // The loan is what keeps the nest alive, and goes into it.
    let cell = Arc::clone(cell);
    let Some(mut nest) = cell.try_lock() else {
        return Some(loan);
    };
    nest.keep(loan)
}

/// All handles of a pool have this in common. Only a checkout opens nests, and only who has a handle
/// checks out: so when the last one is gone, no nest keeps the pool alive that keeps the nest.
pub(crate) struct Owner<K: Connector, R: Runtime>(pub(crate) Arc<Shared<K, R>>);

impl<K: Connector, R: Runtime> Drop for Owner<K, R> {
    fn drop(&mut self) {
        self.0.disowned();
    }
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    /// Nobody checks out any more.
    fn disowned(self: &Arc<Self>) {
        if !self.is_foreign() {
            return self.enter(|_| ());
        }
        // The parent's nests are left alone, and may keep the parent's pool for ever, and with it the
        // child's: so that one is told now that it ends.
        if let Some(heir) = self.heir.get() {
            heir.report(PoolMachine::<K, R>::shut_down);
            heir.disowned();
        }
    }
}
