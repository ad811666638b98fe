//! A worker of SQLx's. It is a thread that waits for a runtime, as the other one is a thread.

use std::cell::Cell;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;

use everpool_sqlx::{
    AssertSqlSafe, Driver, Engine, Error, Executor, Retry, Session, SessionError, SessionMaker,
    create_engine, raw_sql,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::{Told, Writer, options};
use crate::journal::Failure;
use crate::journal::claim::Word;
use crate::journal::transaction::{Manner, Savepoint, Transaction};

/// How long a task waits for a transaction at most: a server that does not answer would have it wait for ever.
const PATIENCE: Duration = Duration::from_secs(5);

pub(in crate::journal) struct SqlxWriter<DB: Driver> {
    runtime: Arc<Runtime>,
    sessions: SessionMaker<DB>,
    session: Session<DB>,
}

impl<DB: Driver> Writer for SqlxWriter<DB> {
    type Engine = (Arc<Runtime>, Engine<DB>);

    fn engine(url: &str) -> Result<Self::Engine, Failure> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        Ok((Arc::new(runtime), create_engine(url, options()?)?))
    }

    fn new((runtime, engine): &Self::Engine) -> Self {
        let sessions = SessionMaker::new(engine);
        let session = sessions.session();
        SqlxWriter {
            runtime: Arc::clone(runtime),
            sessions,
            session,
        }
    }

    fn write(&mut self, transaction: &Transaction) -> Told {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.write_in_time(transaction))
    }
}

impl<DB: Driver> SqlxWriter<DB> {
    async fn write_in_time(&mut self, transaction: &Transaction) -> Told {
        if transaction.manner == Manner::Run {
            return self.run(*transaction).await;
        }
        let limit = match transaction.manner {
            Manner::Hurry(limit) => limit,
            _ => PATIENCE,
        };
        let commits = Cell::new(false);
        let attempt = attempt(&mut self.session, transaction, &commits);
        let Ok(told) = timeout(limit, attempt).await else {
            self.undo(transaction.manner).await;
            return Told::given_up(commits.get());
        };
        // After the other words the session promises to go on by itself.
        if told.word == Word::RolledBack {
            self.undo(transaction.manner).await;
        }
        told
    }

    /// Whoever gives up here does not know how far it came: COMMIT may be sent as soon as the rows are.
    async fn run(&self, transaction: Transaction) -> Told {
        let attempts = AtomicUsize::new(0);
        let inserted = Arc::new(AtomicBool::new(false));
        let done = self.sessions.run(Retry::default(), |session| {
            attempts.fetch_add(1, Ordering::Relaxed);
            inserted.store(false, Ordering::Relaxed);
            let inserted = Arc::clone(&inserted);
            Box::pin(async move {
                insert(session, &transaction).await?;
                inserted.store(true, Ordering::Relaxed);
                Ok::<(), SessionError>(())
            })
        });
        match timeout(PATIENCE, done).await {
            Ok(done) => Told::ran(done, attempts.load(Ordering::Relaxed)),
            Err(_) => Told::given_up(inserted.load(Ordering::Relaxed)),
        }
    }

    async fn undo(&mut self, manner: Manner) {
        let rolled_back = match manner {
            Manner::Drop => None,
            _ => timeout(PATIENCE, self.session.rollback()).await.ok(),
        };
        if !matches!(rolled_back, Some(Ok(()))) {
            self.session = self.sessions.session();
        }
    }
}

/// `commits` is set when COMMIT may be sent.
async fn attempt<DB: Driver>(
    session: &mut Session<DB>,
    transaction: &Transaction,
    commits: &Cell<bool>,
) -> Told {
    if let Err(error) = insert(session, transaction).await {
        return Told::undone(Some(error));
    }
    match transaction.manner {
        Manner::RollBack | Manner::Drop => Told::undone::<Error>(None),
        Manner::Commit | Manner::Run | Manner::Hurry(_) => {
            commits.set(true);
            Told::committed(session.commit().await)
        }
    }
}

async fn insert<DB: Driver>(
    session: &mut Session<DB>,
    transaction: &Transaction,
) -> Result<(), SessionError> {
    for part in transaction.plain() {
        send(session, transaction, part).await?;
    }
    if transaction.savepoint == Savepoint::None {
        return Ok(());
    }
    let mut nested = session.begin_nested().await?;
    send(&mut nested, transaction, transaction.nested()).await?;
    match transaction.savepoint {
        Savepoint::Kept => nested.commit().await,
        Savepoint::Undone | Savepoint::None => nested.rollback().await,
    }
}

async fn send<DB: Driver>(
    session: &mut Session<DB>,
    transaction: &Transaction,
    part: u32,
) -> Result<(), SessionError> {
    let insert = AssertSqlSafe(transaction.insert(part));
    session.execute(raw_sql(insert)).await?;
    Ok(())
}
