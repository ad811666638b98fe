//! A Diesel connection whose server is a script: it says what was sent, in which order, and fails as
//! it is told to. For errors that a real server cannot be made to produce.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use diesel::{
    ConnectionError, ConnectionResult, QueryResult,
    connection::{
        AnsiTransactionManager, CacheSize, Connection, ConnectionSealed, DynInstrumentation,
        Instrumentation, SimpleConnection,
    },
    query_builder::{QueryFragment, QueryId},
    result::{DatabaseErrorKind, Error},
    sqlite::Sqlite,
};
use everpool_diesel::{
    Backend, ConnectFault, Driver, Engine, EngineOptionsBuilder, Fault, TransactionStatus,
    create_engine,
};

static SCRIPTS: LazyLock<Mutex<HashMap<String, Script>>> = LazyLock::new(Mutex::default);

/// What the server does next, and what it was told.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Scene>>);

#[derive(Default)]
struct Scene {
    name: String,
    heard: Vec<String>,
    failures: Vec<(String, String)>,
    connections: usize,
}

/// The words of errors that the script's driver takes for a disconnect.
pub(crate) const SERVER_LOST: &str = "the server is gone";
pub(crate) const CONNECTION_LOST: &str = "this connection is gone";

impl Script {
    /// An engine whose connections go to this script.
    pub(crate) fn engine(&self, options: EngineOptionsBuilder) -> Engine<Scripted> {
        create_engine(self.url(), options.build().unwrap()).unwrap()
    }

    /// A URL that leads here.
    pub(crate) fn url(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let mut scene = self.0.lock().unwrap();
        if scene.name.is_empty() {
            scene.name = format!("script-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            SCRIPTS
                .lock()
                .unwrap()
                .insert(scene.name.clone(), self.clone());
        }
        format!("sqlite:///{}", scene.name)
    }

    /// The next time that this statement (or `connect`) is sent, this is the answer.
    pub(crate) fn fails_once(&self, statement: &str, message: &str) {
        let failure = (statement.into(), message.into());
        self.0.lock().unwrap().failures.push(failure);
    }

    /// What was sent since the last look, each with the number of its connection.
    pub(crate) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().heard)
    }

    fn hears(&self, connection: usize, statement: &str) -> Option<String> {
        let mut scene = self.0.lock().unwrap();
        scene.heard.push(format!("{connection} {statement}"));
        let at = scene.failures.iter().position(|(on, _)| on == statement)?;
        Some(scene.failures.remove(at).1)
    }
}

/// A connection to a [`Script`].
pub(crate) struct Scripted {
    script: Script,
    number: usize,
    transactions: AnsiTransactionManager,
    instrumentation: DynInstrumentation,
    status: TransactionStatus,
}

impl SimpleConnection for Scripted {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.answer(query)
    }
}

impl Scripted {
    fn answer(&mut self, statement: &str) -> QueryResult<()> {
        use diesel::connection::InstrumentationEvent as Told;
        let shown = diesel::connection::StrQueryHelper::new(statement);
        self.instrumentation
            .on_connection_event(Told::start_query(&shown));
        let failed = self.script.hears(self.number, statement);
        let result = match failed {
            Some(message) => {
                if message == SERVER_LOST || message == CONNECTION_LOST {
                    self.status = TransactionStatus::Dead;
                }
                Err(Error::DatabaseError(
                    DatabaseErrorKind::Unknown,
                    Box::new(message),
                ))
            }
            None => {
                self.status = match statement.split(' ').next() {
                    Some("BEGIN") => TransactionStatus::MaybeOpen,
                    Some("COMMIT") => TransactionStatus::Idle,
                    Some("ROLLBACK") if statement == "ROLLBACK" => TransactionStatus::Idle,
                    _ => self.status,
                };
                Ok(())
            }
        };
        let error = result.as_ref().err();
        self.instrumentation
            .on_connection_event(Told::finish_query(&shown, error));
        result
    }
}

impl ConnectionSealed for Scripted {}

impl Connection for Scripted {
    type Backend = Sqlite;
    type TransactionManager = AnsiTransactionManager;

    fn establish(name: &str) -> ConnectionResult<Self> {
        let script = SCRIPTS.lock().unwrap()[name].clone();
        let number = {
            let mut scene = script.0.lock().unwrap();
            scene.connections += 1;
            scene.connections
        };
        match script.hears(number, "connect") {
            Some(message) => Err(ConnectionError::BadConnection(message)),
            None => Ok(Self {
                script,
                number,
                transactions: AnsiTransactionManager::default(),
                instrumentation: DynInstrumentation::none(),
                status: TransactionStatus::Idle,
            }),
        }
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Sqlite> + QueryId,
    {
        let statement = diesel::debug_query::<Sqlite, _>(source).to_string();
        let (sql, _binds) = statement
            .split_once(" -- binds")
            .unwrap_or((&statement, ""));
        self.answer(sql).map(|()| 1)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut *self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = instrumentation.into();
    }

    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}

impl Driver for Scripted {
    const BACKEND: Backend = Backend::Sqlite;

    fn fault(error: &Error) -> Fault {
        match error {
            Error::DatabaseError(_, information) => match information.message() {
                SERVER_LOST => Fault::Server,
                CONNECTION_LOST => Fault::Connection,
                _ => Fault::Statement,
            },
            Error::RollbackErrorOnCommit { commit_error, .. } => Self::fault(commit_error),
            _ => Fault::Statement,
        }
    }

    fn connect_fault(error: &ConnectionError) -> ConnectFault {
        match error {
            ConnectionError::BadConnection(message) if message == SERVER_LOST => {
                ConnectFault::Transient
            }
            _ => ConnectFault::Permanent,
        }
    }

    fn transaction_status(&mut self) -> TransactionStatus {
        self.status
    }

    fn isolation_level(&mut self) -> QueryResult<String> {
        self.answer("level?").map(|()| "0".to_owned())
    }
}
