use diesel::{QueryResult, result::Error};
use everpool_engine::blocking::Observer;

use crate::{classify::is_conflict, connector::Connector, driver::Driver};

/// The rows of a query. An error among them is seen before the program sees it.
pub struct Cursor<I, C: Driver> {
    pub(crate) rows: I,
    pub(crate) observer: Observer<Connector<C>>,
    /// The database was asked to refuse what writes.
    pub(crate) is_read_only: bool,
}

impl<I, C, R> Iterator for Cursor<I, C>
where
    I: Iterator<Item = QueryResult<R>>,
    C: Driver,
{
    type Item = QueryResult<R>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(row.map_err(|error| self.saw(error)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<I, C: Driver> Cursor<I, C> {
    #[cold]
    fn saw(&self, error: Error) -> Error {
        let by_tables = C::fault(&error);
        if is_conflict(C::BACKEND, &error) {
            self.observer.saw_conflict();
        }
        let (error, fault) =
            self.observer
                .connector()
                .hooks()
                .judge(error, by_tables, None, self.is_read_only);
        self.observer.saw(fault);
        error
    }
}

impl<I, C: Driver> std::fmt::Debug for Cursor<I, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("observer", &self.observer)
            .finish_non_exhaustive()
    }
}
