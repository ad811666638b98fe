use std::{fmt, marker::PhantomData};

use diesel::{
    QueryResult,
    connection::{Connection, TransactionManager, TransactionManagerStatus},
};

use super::{ManageConnection, PooledConnection, R2D2Connection};

/// The transactions of a [`PooledConnection`] are those of its connection, by `T`.
pub struct PoolTransactionManager<T>(PhantomData<T>);

impl<T> fmt::Debug for PoolTransactionManager<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolTransactionManager")
    }
}

impl<M, T> TransactionManager<PooledConnection<M>> for PoolTransactionManager<T>
where
    M: ManageConnection,
    M::Connection: Connection<TransactionManager = T> + R2D2Connection,
    T: TransactionManager<M::Connection>,
{
    type TransactionStateData = T::TransactionStateData;

    fn begin_transaction(conn: &mut PooledConnection<M>) -> QueryResult<()> {
        conn.run(T::begin_transaction)
    }

    fn rollback_transaction(conn: &mut PooledConnection<M>) -> QueryResult<()> {
        conn.run(T::rollback_transaction)
    }

    fn commit_transaction(conn: &mut PooledConnection<M>) -> QueryResult<()> {
        conn.run(T::commit_transaction)
    }

    fn transaction_manager_status_mut(
        conn: &mut PooledConnection<M>,
    ) -> &mut TransactionManagerStatus {
        T::transaction_manager_status_mut(&mut **conn)
    }
}
