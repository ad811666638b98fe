use std::{
    future::ready,
    sync::{Arc, Mutex},
};

use everpool_sqlx::{Engine, SessionEvents, SessionTransaction, Sqlite};

/// What was told, in its order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }

    pub(crate) fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn of(&self, what: &'static str) -> impl Fn(&SessionTransaction) + Send + Sync + 'static {
        let diary = self.clone();
        move |transaction| match transaction.is_nested() {
            true => diary.note(&format!("{what} [nested]")),
            false => diary.note(what),
        }
    }

    pub(crate) fn listen(&self, mut events: SessionEvents<'_, Sqlite>) {
        let (begun, committing) = (self.of("after_begin"), self.of("before_commit"));
        let undone = self.of("after_soft_rollback");
        events
            .after_transaction_create(self.of("after_transaction_create"))
            .after_begin(move |_, transaction| {
                begun(transaction);
                Box::pin(ready(Ok(())))
            })
            .before_commit(move |_, transaction| {
                committing(transaction);
                Box::pin(ready(Ok(())))
            })
            .after_commit(self.of("after_commit"))
            .after_rollback(self.of("after_rollback"))
            .after_transaction_end(self.of("after_transaction_end"))
            .after_soft_rollback(move |_, transaction| {
                undone(transaction);
                Box::pin(ready(Ok(())))
            });
    }

    pub(crate) fn listen_to_the_engine(&self, engine: &Engine<Sqlite>) {
        let note = |what: &'static str| {
            let diary = self.clone();
            move || diary.note(what)
        };
        let events = engine.events();
        events
            .begin(note("BEGIN"))
            .commit(note("COMMIT"))
            .rollback(note("ROLLBACK"));
        let (set, undone, released) = (note("SAVEPOINT"), note("ROLLBACK TO"), note("RELEASE"));
        events.savepoint(move |_| set());
        events.rollback_savepoint(move |_| undone());
        events.release_savepoint(move |_| released());
        let (out, back) = (note("checkout"), note("checkin"));
        let pool = engine.pool().events();
        pool.checkout(move |_, _| {
            out();
            Ok(())
        });
        pool.checkin(move |_, _| {
            back();
            Ok(())
        });
    }
}
