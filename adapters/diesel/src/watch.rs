use diesel::connection::InstrumentationEvent;
pub(crate) use everpool_engine::Watch;

/// Between the statement and its parameters, in Diesel's way of showing a query.
pub(crate) const PARAMETERS: &str = " -- binds: ";

/// Tells who listens.
pub(crate) fn tell(watch: &Watch, event: &InstrumentationEvent<'_>) {
    match event {
        InstrumentationEvent::StartQuery { query, .. } => watch.sends(query, PARAMETERS),
        InstrumentationEvent::FinishQuery { query, error, .. } => watch.answered(query, *error),
        _ => {}
    }
}
