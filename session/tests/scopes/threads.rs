use std::{
    cell::{Cell, RefCell},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use everpool_session::scope::{ScopeError, ScopedSession, SessionFactory, ThreadScope};

use crate::factory::{Factory, refused};

type ByThread = ScopedSession<Factory, ThreadScope>;

fn number(scoped: &ByThread) -> usize {
    scoped.with(|session| session.number).unwrap()
}

#[test]
fn a_thread_has_one_session_and_another_thread_another() {
    let scoped = ScopedSession::by_thread(Factory::default());
    assert!(scoped.is_empty(), "none is made before somebody asks");
    let own = number(&scoped);
    assert_eq!(number(&scoped), own);
    let other = thread::scope(|scope| scope.spawn(|| number(&scoped)).join().unwrap());
    assert_ne!(own, other);
    assert_eq!(number(&scoped), own);
}

#[test]
fn what_was_removed_is_made_anew() {
    let scoped = ScopedSession::by_thread(Factory::default());
    let first = number(&scoped);
    scoped.remove();
    assert_eq!((scoped.len(), scoped.maker().open()), (0, 0));
    scoped.remove();
    assert_ne!(number(&scoped), first);
}

#[test]
fn all_sessions_may_be_removed_at_once() {
    let scoped = ScopedSession::by_thread(Factory::default());
    let (ask, asked) = mpsc::channel::<()>();
    let (answer, answers) = mpsc::channel();
    let handle = scoped.clone();
    let other = thread::spawn(move || {
        answer.send(number(&handle)).unwrap();
        asked.recv().unwrap();
        answer.send(number(&handle)).unwrap();
    });
    let own = number(&scoped);
    let others = answers.recv().unwrap();
    assert_eq!(scoped.len(), 2);
    scoped.remove_all();
    assert_eq!((scoped.len(), scoped.maker().open()), (0, 0));
    ask.send(()).unwrap();
    assert_ne!(answers.recv().unwrap(), others);
    assert_ne!(number(&scoped), own);
    other.join().unwrap();
}

#[test]
fn who_asks_for_the_session_that_it_has_is_told_so() {
    let scoped = ScopedSession::by_thread(Factory::default());
    let within = scoped.with(|_| refused(scoped.session())).unwrap();
    assert_eq!(within, ScopeError::InUse);
    assert_eq!(
        within.to_string(),
        "the session of this scope is in use; hand it on as an argument, or let go of it before asking again"
    );
    assert_eq!(number(&scoped), 1, "and has it still");
}

#[test]
fn a_session_that_is_removed_by_who_uses_it_is_theirs_to_the_end() {
    let scoped = ScopedSession::by_thread(Factory::default());
    let first = scoped.session().unwrap();
    scoped.remove();
    assert_eq!(number(&scoped), 2);
    assert_eq!(first.number, 1);
    drop(first);
    assert_eq!(scoped.maker().open(), 1);
    assert_eq!(number(&scoped), 2);
}

#[test]
fn after_a_panic_the_next_has_another_session() {
    let scoped = ScopedSession::by_thread(Factory::default());
    let panicking = AssertUnwindSafe(|| scoped.with(|_| panic!("as planned")));
    assert!(catch_unwind(panicking).is_err());
    assert_eq!((scoped.len(), scoped.maker().open()), (0, 0));
    assert_eq!(number(&scoped), 2);
}

#[test]
fn who_asks_after_one_could_not_be_made_has_one_made() {
    /// Has none the first time.
    struct Empty(Cell<bool>);

    impl SessionFactory for Empty {
        type Session = usize;
        type Error = io::Error;

        fn make(&self) -> usize {
            assert!(self.0.replace(true), "there is none");
            7
        }
    }

    let scoped = ScopedSession::by_thread(Empty(Cell::new(false)));
    let asking = AssertUnwindSafe(|| scoped.session().map(|session| *session));
    assert!(catch_unwind(asking).is_err());
    assert!(scoped.is_empty());
    assert_eq!(*scoped.session().unwrap(), 7);
}

#[test]
fn a_thread_s_session_goes_with_the_thread() {
    let scoped = ScopedSession::by_thread(Factory::default());
    for _ in 0..100 {
        let handle = scoped.clone();
        let made_in = thread::spawn(move || handle.with(|session| session.made_in).unwrap());
        let id = made_in.thread().id();
        assert_eq!(made_in.join().unwrap(), id);
        assert_eq!((scoped.len(), scoped.maker().open()), (0, 0));
    }
}

#[test]
fn nothing_is_heard_of_a_session_that_panics_when_its_thread_ends() {
    let scoped = ScopedSession::by_thread(Factory::bad());
    let handle = scoped.clone();
    thread::spawn(move || number(&handle)).join().unwrap();
    assert_eq!((scoped.len(), scoped.maker().open()), (0, 0));
}

#[test]
fn a_thread_that_ends_is_told_that_it_has_no_scope() {
    /// Asks when its thread ends.
    struct Late(ByThread, mpsc::Sender<ScopeError>);

    impl Drop for Late {
        fn drop(&mut self) {
            self.1.send(refused(self.0.session())).unwrap();
        }
    }

    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }

    let scoped = ScopedSession::by_thread(Factory::default());
    let (answer, answers) = mpsc::channel();
    let handle = scoped.clone();
    let ending = thread::spawn(move || {
        // What is used first is gone last.
        LATE.with(|_| {});
        LATE.set(Some(Late(handle.clone(), answer)));
        number(&handle);
    });
    ending.join().unwrap();
    assert_eq!(answers.recv().unwrap(), ScopeError::ThreadEnds);
    assert!(scoped.is_empty());
}

#[test]
fn the_sessions_of_all_threads_go_with_their_scoped_session() {
    let factory = Factory::default();
    let (go, gone) = mpsc::channel::<()>();
    let (answer, answers) = mpsc::channel();
    let scoped = ScopedSession::by_thread(factory.clone());
    let handle = scoped.clone();
    let other = thread::spawn(move || {
        number(&handle);
        drop(handle);
        answer.send(()).unwrap();
        gone.recv().unwrap();
    });
    answers.recv().unwrap();
    number(&scoped);
    assert_eq!(factory.open(), 2);
    drop(scoped);
    assert_eq!(factory.open(), 0);
    go.send(()).unwrap();
    other.join().unwrap();
}

#[test]
fn two_scoped_sessions_have_nothing_to_do_with_each_other() {
    let (one, two) = (Factory::default(), Factory::default());
    let first = ScopedSession::by_thread(one.clone());
    let second = ScopedSession::by_thread(two.clone());
    let both = first.with(|_| number(&second)).unwrap();
    assert_eq!(both, 1);
    first.remove();
    assert_eq!((one.open(), two.open()), (0, 1));
}
