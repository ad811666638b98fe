//! `handle_error`, without a database: who is asked, what is told, what becomes of the connection.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use everpool_engine::{
    Backend,
    fault::Fault,
    handlers::{Answer, ErrorContext, Handled, Handlers, Origin},
};

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct DriverError(&'static str);

const FAULTS: [Fault; 3] = [Fault::Statement, Fault::Connection, Fault::Server];

fn handle(handlers: &Handlers<DriverError>, fault: Fault) -> Handled {
    let origin = Origin::Execution(Some("SELECT 1"));
    handlers.handle(&DriverError("lost"), Backend::Postgresql, origin, fault)
}

fn replacement(text: &'static str) -> Answer {
    Ok(Some(Box::new(DriverError(text))))
}

fn told(handled: &Handled) -> Option<String> {
    handled.replacement.as_ref().map(ToString::to_string)
}

#[test]
fn without_handlers_nothing_changes() {
    for fault in FAULTS {
        let handled = handle(&Handlers::default(), fault);
        assert_eq!(handled.fault, fault);
        assert_eq!(told(&handled), None);
    }
}

#[test]
fn a_handler_that_says_nothing_changes_nothing() {
    let handlers = Handlers::default();
    handlers.listen(|_| Ok(None));
    for fault in FAULTS {
        let handled = handle(&handlers, fault);
        assert_eq!(handled.fault, fault);
        assert_eq!(told(&handled), None);
    }
}

#[test]
fn a_handler_sees_the_error_its_statement_and_what_the_tables_say() {
    let handlers = Handlers::default();
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        assert_eq!(context.original().0, "lost");
        assert_eq!(context.backend(), Backend::Postgresql);
        assert_eq!(context.statement(), Some("SELECT 1"));
        assert!(!context.is_pre_ping());
        assert!(!context.is_connect());
        assert!(context.is_disconnect());
        assert!(context.invalidate_pool_on_disconnect());
        assert!(context.chained().is_none());
        replacement("seen")
    });
    // A failed assertion would be a panic, and a panic says nothing.
    assert_eq!(
        told(&handle(&handlers, Fault::Server)).as_deref(),
        Some("seen")
    );
}

#[test]
fn a_handler_knows_a_ping_and_a_connect_from_a_statement() {
    let handlers = Handlers::default();
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        assert_eq!(context.statement(), None);
        match (context.is_pre_ping(), context.is_connect()) {
            (true, false) => replacement("ping"),
            (false, true) => replacement("connect"),
            _ => replacement("neither"),
        }
    });
    let table = [
        (Origin::PrePing, "ping"),
        (Origin::Connect, "connect"),
        (Origin::Execution(None), "neither"),
    ];
    for (origin, expected) in table {
        let error = DriverError("lost");
        let handled = handlers.handle(&error, Backend::Sqlite, origin, Fault::Connection);
        assert_eq!(told(&handled).as_deref(), Some(expected));
    }
}

#[test]
fn a_later_silence_does_not_cancel_an_earlier_replacement() {
    let handlers = Handlers::default();
    handlers.listen(|_| replacement("first"));
    handlers.listen(|_| Ok(None));
    assert_eq!(
        told(&handle(&handlers, Fault::Statement)).as_deref(),
        Some("first")
    );
}

#[test]
fn the_last_replacement_stands_and_knows_the_one_before() {
    let handlers = Handlers::default();
    handlers.listen(|_| replacement("first"));
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        assert_eq!(
            context.chained().map(ToString::to_string).as_deref(),
            Some("first")
        );
        replacement("second")
    });
    assert_eq!(
        told(&handle(&handlers, Fault::Statement)).as_deref(),
        Some("second")
    );
}

#[test]
fn a_handler_that_fails_ends_the_chain_and_its_error_is_told() {
    let handlers = Handlers::default();
    handlers.listen(|_| replacement("first"));
    handlers.listen(|_| Err(Box::new(DriverError("failed"))));
    handlers.listen(|_| replacement("never"));
    assert_eq!(
        told(&handle(&handlers, Fault::Statement)).as_deref(),
        Some("failed")
    );
}

#[test]
fn what_a_failing_handler_decided_of_the_connection_holds() {
    let handlers = Handlers::default();
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        context.set_disconnect(true);
        Err(Box::new(DriverError("failed")))
    });
    let handled = handle(&handlers, Fault::Statement);
    assert_eq!(handled.fault, Fault::Server);
    assert_eq!(told(&handled).as_deref(), Some("failed"));
}

#[test]
fn a_handler_decides_whether_the_connection_is_lost() {
    let handlers = Handlers::default();
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        let lost = context.is_disconnect();
        context.set_disconnect(!lost);
        Ok(None)
    });
    assert_eq!(handle(&handlers, Fault::Statement).fault, Fault::Server);
    assert_eq!(handle(&handlers, Fault::Connection).fault, Fault::Statement);
    assert_eq!(handle(&handlers, Fault::Server).fault, Fault::Statement);
}

#[test]
fn a_handler_decides_whether_all_others_are_lost_too() {
    for (invalidate, lost) in [(false, Fault::Connection), (true, Fault::Server)] {
        let handlers = Handlers::default();
        handlers.listen(move |context: &mut ErrorContext<'_, DriverError>| {
            context.set_invalidate_pool_on_disconnect(invalidate);
            Ok(None)
        });
        assert_eq!(handle(&handlers, Fault::Statement).fault, Fault::Statement);
        assert_eq!(handle(&handlers, Fault::Connection).fault, lost);
        assert_eq!(handle(&handlers, Fault::Server).fault, lost);
    }
}

#[test]
fn a_handler_sees_what_those_before_it_decided() {
    let handlers = Handlers::default();
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        context.set_disconnect(true);
        context.set_invalidate_pool_on_disconnect(false);
        Ok(None)
    });
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        assert!(context.is_disconnect());
        assert!(!context.invalidate_pool_on_disconnect());
        replacement("seen")
    });
    let handled = handle(&handlers, Fault::Statement);
    assert_eq!(handled.fault, Fault::Connection);
    assert_eq!(told(&handled).as_deref(), Some("seen"));
}

#[test]
fn a_panic_costs_what_its_handler_would_have_said_and_no_more() {
    let handlers = Handlers::default();
    handlers.listen(|_| replacement("first"));
    handlers.listen(|context: &mut ErrorContext<'_, DriverError>| {
        context.set_disconnect(true);
        context.set_invalidate_pool_on_disconnect(false);
        panic!("a handler's bug");
    });
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    handlers.listen(move |context: &mut ErrorContext<'_, DriverError>| {
        counter.fetch_add(1, Ordering::Relaxed);
        assert!(!context.is_disconnect());
        Ok(None)
    });
    for _ in 0..2 {
        let handled = handle(&handlers, Fault::Statement);
        assert_eq!(handled.fault, Fault::Statement);
        assert_eq!(told(&handled).as_deref(), Some("first"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn a_handler_may_register_another_for_the_next_error() {
    let handlers = Handlers::default();
    let registry = handlers.clone();
    handlers.listen(move |_| {
        registry.listen(|_| replacement("added"));
        Ok(None)
    });
    assert_eq!(told(&handle(&handlers, Fault::Statement)), None);
    assert_eq!(
        told(&handle(&handlers, Fault::Statement)).as_deref(),
        Some("added")
    );
}
