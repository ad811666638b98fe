//! A session on the database, for either face.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use everpool_engine::{Backend, twophase::Xid};
use everpool_session::{
    Listeners, Moment, SessionError, SessionSettings, SessionTransaction, StateError,
    TransactionId, blocking, future,
    stack::{Control, Method, On, Stack, Standing},
};

use crate::database::{Database, Names, Trouble};

/// What listeners do that are given the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Nothing.
    Quiet,
    /// A statement.
    Working,
    /// They try to end what they are told of.
    Meddling,
    /// They fail.
    Failing,
    /// They panic.
    Panicking,
}

/// A row that was inserted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) row: u32,
    /// How many levels are around it.
    pub(crate) levels: usize,
    pub(crate) transaction: Option<u64>,
}

pub(crate) struct Session {
    database: Arc<Mutex<Database>>,
    /// Where callbacks tell that they were called.
    pub(crate) called: Arc<Mutex<Vec<(u32, On)>>>,
    pub(crate) stack: Stack,
    in_threads: Arc<Listeners<blocking::Participant<Self>>>,
    in_tasks: Arc<Listeners<future::Participant<Self>>>,
    depth: u32,
    xid: Xid,
    pub(crate) next_row: u32,
    /// The rows that the program believes in.
    pub(crate) believed: Vec<Row>,
    /// Those that have callbacks.
    pub(crate) registered: Vec<u32>,
    /// What listeners were told.
    pub(crate) told: Arc<Mutex<Vec<(Moment, u64)>>>,
}

impl Session {
    pub(crate) fn new(names: Names, manners: Manners, twophase: bool) -> Self {
        let settings = SessionSettings {
            twophase,
            ..SessionSettings::default()
        };
        let mut session = Self {
            database: Arc::new(Mutex::new(Database::new(names))),
            called: Arc::default(),
            stack: Stack::new(settings),
            in_threads: Arc::default(),
            in_tasks: Arc::default(),
            depth: 0,
            xid: Xid::new(Backend::Postgresql, "transfer-7").unwrap(),
            next_row: 0,
            believed: Vec::new(),
            registered: Vec::new(),
            told: Arc::default(),
        };
        session.observe();
        session.listen_in_threads(manners);
        session.listen_in_tasks(manners);
        session
    }

    fn observe(&mut self) {
        for moment in [
            Moment::AfterTransactionCreate,
            Moment::AfterCommit,
            Moment::AfterRollback,
            Moment::AfterTransactionEnd,
        ] {
            let told = Arc::clone(&self.told);
            let tell = move |transaction: &SessionTransaction| {
                told.lock().unwrap().push((moment, transaction.id()));
            };
            Arc::make_mut(&mut self.in_threads).observe(moment, tell.clone());
            Arc::make_mut(&mut self.in_tasks).observe(moment, tell);
        }
    }

    fn listen_in_threads(&mut self, manners: Manners) {
        let behave = |moment| {
            move |session: &mut Self, transaction: &SessionTransaction| {
                session.note(moment, transaction);
                match manners {
                    Manners::Working if session.works() => {
                        session.insert().map_err(|_| Trouble("no work"))
                    }
                    Manners::Meddling if moment != Moment::AfterSoftRollback => {
                        session.meddle(blocking::end)
                    }
                    _ => behaved(manners),
                }
            }
        };
        let mut events = blocking::SessionEvents::new(Arc::make_mut(&mut self.in_threads));
        events.after_begin(behave(Moment::AfterBegin));
        events.before_commit(behave(Moment::BeforeCommit));
        events.after_soft_rollback(behave(Moment::AfterSoftRollback));
    }

    fn listen_in_tasks(&mut self, manners: Manners) {
        let mut events = future::SessionEvents::new(Arc::make_mut(&mut self.in_tasks));
        events.after_begin(participant(manners, Moment::AfterBegin));
        events.before_commit(participant(manners, Moment::BeforeCommit));
        events.after_soft_rollback(participant(manners, Moment::AfterSoftRollback));
    }

    fn participates(
        &mut self,
        manners: Manners,
        moment: Moment,
    ) -> future::Participation<'_, Trouble> {
        Box::pin(async move {
            match manners {
                Manners::Working if self.works() => {
                    let inserted = self.insert_in_a_task().await;
                    inserted.map_err(|_| Trouble("no work"))
                }
                Manners::Meddling if moment != Moment::AfterSoftRollback => {
                    self.meddle(|session, method| match now(future::end(session, method)) {
                        Now::Done(done) => done,
                        Now::Abandoned => Ok(()),
                    })
                }
                _ => behaved(manners),
            }
        })
    }

    /// The listener of a transaction that it has begun itself after another does no more.
    fn works(&self) -> bool {
        self.next_row < 40
    }

    fn note(&self, moment: Moment, transaction: &SessionTransaction) {
        self.told.lock().unwrap().push((moment, transaction.id()));
    }

    fn meddle(
        &mut self,
        end: impl Fn(&mut Self, Method) -> Result<(), SessionError<Trouble>>,
    ) -> Result<(), Trouble> {
        for method in [
            Method::Commit,
            Method::Rollback,
            Method::Close,
            Method::Invalidate,
        ] {
            let refused = end(self, method).unwrap_err();
            let is_state = matches!(
                refused,
                SessionError::State(StateError::IllegalStateChange { .. })
            );
            assert!(is_state, "{refused}");
        }
        Ok(())
    }

    pub(crate) fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap()
    }

    pub(crate) fn transaction(&self) -> Option<u64> {
        self.stack.transaction().map(|transaction| transaction.id())
    }

    pub(crate) fn insert(&mut self) -> Result<(), SessionError<Trouble>> {
        blocking::ready(self)?;
        Ok(self.insert_row()?)
    }

    pub(crate) async fn insert_in_a_task(&mut self) -> Result<(), SessionError<Trouble>> {
        future::ready(self).await?;
        let is_abandoned = self.database().abandons();
        let inserted = self.insert_row();
        answer(inserted, is_abandoned).await?;
        Ok(())
    }

    fn insert_row(&mut self) -> Result<(), Trouble> {
        self.next_row += 1;
        let row = self.next_row;
        self.database().insert(row)?;
        let transaction = self.transaction();
        self.believed.push(Row {
            row,
            levels: self.depth as usize,
            transaction,
        });
        Ok(())
    }

    pub(crate) fn ends_elsewhere(&mut self) {
        if self.database().is_open() {
            self.database().roll_back();
            self.depth = 0;
        }
    }

    fn send(&mut self, control: Control) -> Result<(), Trouble> {
        if self.stack.is_prepared() {
            return self.database().end_prepared(control);
        }
        let mut database = self.database();
        let undoes = matches!(control, Control::Rollback | Control::RollbackTo(_));
        if control != Control::Begin && !database.is_connected() {
            return match undoes {
                true => Ok(()),
                false => Err(Trouble("pending rollback")),
            };
        }
        if undoes && !database.is_open() {
            return match control {
                Control::Rollback => Ok(()),
                _ => Err(Trouble("no savepoint")),
            };
        }
        database.control(control)?;
        drop(database);
        self.depth = match control {
            Control::Begin => 1,
            Control::Savepoint(number) => number + 1,
            Control::Release(number) | Control::RollbackTo(number) => number,
            Control::Prepare | Control::Commit | Control::Rollback => 0,
        };
        Ok(())
    }

    fn levels(&self) -> u32 {
        self.depth
    }

    fn standing(&self, levels: u32) -> Standing {
        let savepoint = self.depth > 1;
        match self.database() {
            database if !database.is_connected() => Standing::Lost { savepoint },
            database if database.is_aborted() => Standing::Aborted,
            _ if self.depth < levels => Standing::Ended,
            _ => Standing::Sound,
        }
    }

    fn release(&mut self) {
        self.database().release();
        self.depth = 0;
    }

    fn invalidate(&mut self) {
        self.database().invalidate();
        self.depth = 0;
    }
}

fn participant(
    manners: Manners,
    moment: Moment,
) -> impl for<'a> Fn(&'a mut Session, &'a SessionTransaction) -> future::Participation<'a, Trouble>
+ Send
+ Sync {
    move |session, transaction| {
        session.note(moment, transaction);
        session.participates(manners, moment)
    }
}

fn behaved(manners: Manners) -> Result<(), Trouble> {
    match manners {
        Manners::Failing => Err(Trouble("a listener says no")),
        Manners::Panicking => std::panic::panic_any(crate::LISTENER),
        _ => Ok(()),
    }
}

/// What came of a task that is looked at once.
pub(crate) enum Now<T> {
    Done(T),
    /// It waits, and is dropped.
    Abandoned,
}

pub(crate) fn now<T>(task: impl Future<Output = T>) -> Now<T> {
    match pin!(task).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Now::Done(done),
        Poll::Pending => Now::Abandoned,
    }
}

async fn answer<T>(answer: T, is_abandoned: bool) -> T {
    if is_abandoned {
        std::future::pending::<()>().await;
    }
    answer
}

impl blocking::Transactional for Session {
    type Error = Trouble;

    fn stack(&mut self) -> &mut Stack {
        &mut self.stack
    }

    fn listeners(&self) -> &Arc<Listeners<blocking::Participant<Self>>> {
        &self.in_threads
    }

    fn levels(&mut self) -> u32 {
        Self::levels(self)
    }

    fn standing(&mut self, levels: u32) -> Standing {
        Self::standing(self, levels)
    }

    fn is_connected(&mut self) -> bool {
        self.database().is_connected()
    }

    fn timeout(&self) -> Duration {
        Duration::MAX
    }

    fn checkout(&mut self, _: Duration) -> Result<(), Trouble> {
        self.database().checkout()
    }

    fn send(&mut self, control: Control) -> Result<(), Trouble> {
        Self::send(self, control)
    }

    fn transaction_id(&mut self) -> Result<TransactionId, Trouble> {
        Ok(TransactionId::Unassigned)
    }

    fn xid(&self) -> Option<&Xid> {
        Some(&self.xid)
    }

    fn release(&mut self) {
        Self::release(self);
    }

    fn invalidate(&mut self) {
        Self::invalidate(self);
    }
}

impl future::Transactional for Session {
    type Error = Trouble;

    fn stack(&mut self) -> &mut Stack {
        &mut self.stack
    }

    fn listeners(&self) -> &Arc<Listeners<future::Participant<Self>>> {
        &self.in_tasks
    }

    fn levels(&mut self) -> u32 {
        Self::levels(self)
    }

    fn standing(&mut self, levels: u32) -> Standing {
        Self::standing(self, levels)
    }

    fn is_connected(&mut self) -> bool {
        self.database().is_connected()
    }

    fn timeout(&self) -> Duration {
        Duration::MAX
    }

    async fn checkout(&mut self, _: Duration) -> Result<(), Trouble> {
        let is_abandoned = self.database().abandons();
        let taken = self.database().checkout();
        answer(taken, is_abandoned).await
    }

    async fn send(&mut self, control: Control) -> Result<(), Trouble> {
        let is_abandoned = self.database().abandons();
        let sent = Self::send(self, control);
        answer(sent, is_abandoned).await
    }

    async fn transaction_id(&mut self) -> Result<TransactionId, Trouble> {
        Ok(TransactionId::Unassigned)
    }

    fn xid(&self) -> Option<&Xid> {
        Some(&self.xid)
    }

    fn release(&mut self) {
        Self::release(self);
    }

    fn invalidate(&mut self) {
        Self::invalidate(self);
    }
}
