//! An application as one is written against SQLx. It is compiled with SQLx and with its stand-in, and
//! must give the same answers.

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{PgPool, SqlitePool, Transaction};

include!("app.rs");
