//! What real servers and client libraries were seen to say, and whose fault it is.
//!
//! Where a driver's kind of error alone tells (Diesel's `ClosedConnection`), the message is here
//! all the same, as long as it tells too.

mod io;
mod mysql;
mod postgresql;
mod sqlite;
