//! The application beside, of which the lines with `use` were changed.

use everpool_sqlx::pool::PoolConnection;
use everpool_sqlx::postgres::{PgListener, PgPoolOptions};
use everpool_sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use everpool_sqlx::{PgPool, SqlitePool, Transaction};

include!("../../src/app.rs");
