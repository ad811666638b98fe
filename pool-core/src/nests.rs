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
    sync::{Apart, AtomicU32, Guard, Lock, Ordering},
    way::{Signpost, Way},
};

/// How often in a row a nest keeps what comes back to it, before it is the turn of another connection.
const ROW: u32 = 64;
/// How many connections may come back past the nests before they are closed, for each nest.
const TURNS: u32 = 8;
/// How often threads are seen to contend before nests are opened again, if they had to be closed.
const RELUCTANCE: u32 = 256;
/// How many checkouts from a nest make up for a connection that comes back past it.
const WORTH: u32 = 4;
/// How many of those that a nest has lent it remembers, and no more are out.
const LENT: usize = 32;

/// A nest's place among the others.
pub(crate) type NestId = u8;

type Cell<K, R> = Arc<Apart<Lock<Nest<K, R>>>>;

/// All nests of a pool.
pub(crate) struct Nests<K: Connector, R: Runtime> {
    /// Whether it is worth looking into one; each knows itself, under its lock, whether it is open.
    signpost: Signpost,
    /// How many connections may yet come back past them before they are closed, or how often threads
    /// are yet to contend before they are opened. Used under the machine's lock.
    patience: AtomicU32,
    /// Made when they are first opened.
    cells: OnceLock<Box<[Cell<K, R>]>>,
}

struct Nest<K: Connector, R: Runtime> {
    /// Which connections it keeps; none while it is closed.
    open: Option<Generation>,
    kept: Option<Loan<K, R>>,
    /// Who has what it kept: the machine knows of earlier borrowers. No longer than [`LENT`].
    lent: Vec<(SlotId, Borrower)>,
    /// Checkouts that the machine has not counted.
    checkouts: u64,
    /// How often it yet keeps what comes back, in this row.
    left: u32,
}

impl<K: Connector, R: Runtime> Nest<K, R> {
    fn new() -> Self {
        Self {
            open: None,
            kept: None,
            lent: Vec::with_capacity(LENT),
            checkouts: 0,
            left: ROW,
        }
    }

    fn lend(&mut self, borrower: Borrower) -> Option<Loan<K, R>> {
        if self.lent.len() == LENT {
            return None;
        }
        let loan = self.kept.take()?;
        self.lent.push((loan.entry.slot(), borrower));
        self.checkouts += 1;
        Some(loan)
    }

    /// Keeps what comes back, if the machine would put it to rest with no question asked; else it is
    /// given back.
    fn keep(&mut self, loan: Loan<K, R>) -> Option<Loan<K, R>> {
        let is_fit = self.open == Some(loan.entry.generation()) && loan.entry.connection.is_plain();
        if !is_fit || self.kept.is_some() {
            return Some(loan);
        }
        if self.left == 0 {
            self.left = ROW;
            return Some(loan);
        }
        self.left -= 1;
        self.forget(loan.entry.slot());
        self.kept = Some(loan);
        None
    }

    /// Brings back to the machine what it has not been told; says how many checkouts.
    fn close(&mut self, machine: &mut PoolMachine<K, R>) -> u64 {
        self.open = None;
        for (slot, borrower) in self.lent.drain(..) {
            machine.relent(slot, borrower);
        }
        if let Some(Loan { entry, .. }) = self.kept.take() {
            let to_reset = machine.given_back(entry, Residue::Clean, &now);
            debug_assert!(to_reset.is_none(), "what a nest keeps is clean");
        }
        let checkouts = std::mem::take(&mut self.checkouts);
        machine.lent_aside(checkouts);
        checkouts
    }

    /// What it has lent comes back.
    fn forget(&mut self, slot: SlotId) {
        if let Some(at) = self.lent.iter().position(|(lent, _)| *lent == slot) {
            self.lent.swap_remove(at);
        }
    }
}

impl<K: Connector, R: Runtime> Nests<K, R> {
    pub(crate) fn new() -> Self {
        Self {
            signpost: Signpost::new(),
            patience: AtomicU32::new(0),
            cells: OnceLock::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn signpost(&self) -> &Signpost {
        &self.signpost
    }

    #[inline(always)]
    pub(crate) fn are_open(&self) -> bool {
        self.signpost.shows(Way::Nests)
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
            let mut nest = cell.lock();
            (nest.open, nest.left) = (Some(generation), ROW);
        }
        let turns = TURNS * cells.len() as u32;
        self.patience.store(turns, Ordering::Relaxed);
        self.signpost.show(Way::Nests);
    }

    /// Under the machine's lock: whether what happens has happened often enough.
    fn is_patience_over(&self) -> bool {
        let left = self.patience.load(Ordering::Relaxed);
        self.patience
            .store(left.saturating_sub(1), Ordering::Relaxed);
        left == 0
    }

    /// What a nest has lent comes back to the machine, under whose lock this is.
    fn forget(&self, entry: &mut HeldEntry<K, R>) {
        let nest = entry.connection.nest.take();
        if let Some(cell) = nest.and_then(|at| self.cells().get(usize::from(at))) {
            cell.lock().forget(entry.slot());
        }
    }
}

fn closed<K: Connector, R: Runtime>() -> Cell<K, R> {
    Arc::new(Apart(Lock::new(Nest::new())))
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
        if machine.is_plain() && !self.nests.are_open() && self.nests.is_patience_over() {
            self.nests.open(machine.generation());
        }
        machine
    }

    /// As if threads had been seen to contend, often enough.
    pub(crate) fn feign_contention(&self) {
        let machine = self.machine.lock();
        if machine.is_plain() && !self.nests.are_open() {
            self.nests.open(machine.generation());
        }
    }

    /// Brings back to the machine what nests keep, and what it does not know of what they lent. Says
    /// how much that was.
    #[cold]
    #[inline(never)]
    pub(crate) fn close_nests(&self, machine: &mut PoolMachine<K, R>) -> u64 {
        self.nests.signpost.show(Way::Plain);
        self.nests.patience.store(RELUCTANCE, Ordering::Relaxed);
        let cells = self.nests.cells().iter();
        cells.map(|cell| cell.lock().close(machine)).sum()
    }

    /// A connection comes back past the nests. For the sake of the order, they are closed now and
    /// then; and if they lend little, they are better closed.
    fn take_turn(&self, machine: &mut PoolMachine<K, R>) {
        if !self.nests.are_open() || !self.nests.is_patience_over() {
            return;
        }
        let lent = self.close_nests(machine);
        if lent >= u64::from(TURNS * WORTH) * self.nests.cells().len() as u64 {
            self.nests.patience.store(0, Ordering::Relaxed);
        }
    }
}

/// A clean connection comes back while nests are open, while somebody waits, or while somebody else has
/// the machine.
#[inline(never)]
pub(crate) fn take_back_to_nest<K: Connector, R: Runtime>(loan: Loan<K, R>, waits: bool) {
    let Some(Loan { shared, mut entry }) = keep(loan) else {
        return;
    };
    if shared.nests.signpost().shows(Way::Queue) || shared.is_foreign() {
        return shared.take_back_slowly(entry, Residue::Clean, waits);
    }
    let mut machine = shared.machine.lock();
    shared.nests.forget(&mut entry);
    shared.take_turn(&mut machine);
    match machine.rest_plainly(entry) {
        None => shared.leave(machine),
        Some(entry) => shared.rest_by_age(machine, entry, waits),
    }
}

/// In the nest of the calling thread, if it may; else it is given back.
fn keep<K: Connector, R: Runtime>(loan: Loan<K, R>) -> Option<Loan<K, R>> {
    let nests = &loan.shared.nests;
    let Some((at, cell)) = nests.mine().filter(|_| nests.are_open()) else {
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
        match self.heir.get() {
            Some(heir) if heir.is_foreign() => heir.disowned(),
            Some(heir) => heir.report(PoolMachine::<K, R>::shut_down),
            None => {}
        }
    }
}
