use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgAdvisoryLock, PgConnection, PgExecutor, PgPoolCopyExt};
use sqlx::{
    Acquire, Connection, Error, Executor, FromRow, QueryBuilder, Row, Sqlite, SqliteConnection,
};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

#[derive(Debug, FromRow)]
struct User {
    id: i64,
    name: String,
}

#[derive(Debug, PartialEq, sqlx::Type)]
#[sqlx(type_name = "mood", rename_all = "lowercase")]
enum Mood {
    Glad,
    Sad,
}

type Answers = Vec<String>;

/// What apps do with an error of their pool: they match.
fn named(error: &Error) -> String {
    match error {
        Error::PoolTimedOut => "timed out".to_owned(),
        Error::PoolClosed => "closed".to_owned(),
        Error::RowNotFound => "no row".to_owned(),
        Error::Io(error) => format!("io: {}", error.kind()),
        Error::Database(error) => {
            let (code, kind) = (error.code(), error.kind());
            format!("database: {} {kind:?}", code.unwrap_or_default())
        }
        other => format!("other: {other}"),
    }
}

// What takes a connection, a pool or a transaction.

async fn add(connection: &mut SqliteConnection, id: i64, name: &str) -> Result<u64, Error> {
    let added = sqlx::query!("INSERT INTO users (id, name) VALUES (?, ?)", id, name)
        .execute(connection)
        .await?;
    Ok(added.rows_affected())
}

async fn count<'e, E>(executor: E) -> Result<i64, Error>
where
    E: Executor<'e, Database = Sqlite>,
{
    sqlx::query_scalar!("SELECT count(*) FROM users").fetch_one(executor).await
}

async fn count_twice<'a, A>(source: A) -> Result<(i64, i64), Error>
where
    A: Acquire<'a, Database = Sqlite>,
{
    let mut connection = source.acquire().await?;
    let once = count(&mut *connection).await?;
    Ok((once, count(&mut *connection).await?))
}

async fn add_in_transaction<'a, A>(source: A, id: i64, name: &str) -> Result<(), Error>
where
    A: Acquire<'a, Database = Sqlite>,
{
    let mut transaction = source.begin().await?;
    add(&mut transaction, id, name).await?;
    transaction.commit().await
}

async fn in_savepoint(transaction: &mut Transaction<'_, Sqlite>) -> Result<i64, Error> {
    let mut savepoint = transaction.begin().await?;
    add(&mut savepoint, 100, "undone").await?;
    let inside = count(&mut *savepoint).await?;
    savepoint.rollback().await?;
    Ok(inside)
}

async fn one(mut connection: PoolConnection<Sqlite>) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT 1").fetch_one(&mut *connection).await
}

/// All that the application does with SQLite, and what it was answered.
pub async fn on_sqlite(directory: &Path) -> Result<Answers, Box<dyn std::error::Error>> {
    let mut answers = Answers::new();
    let options = SqliteConnectOptions::new()
        .filename(directory.join("app.db"))
        .create_if_missing(true)
        .foreign_keys(true);
    let pool: SqlitePool = SqlitePoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_millis(300))
        .connect_with(options)
        .await?;
    MIGRATIONS.run(&pool).await?;
    answers.push(format!("migrated: {}", count(&pool).await?));

    let mut connection = pool.acquire().await?;
    MIGRATIONS.run(&mut *connection).await?;
    answers.push(format!("added: {}", add(&mut connection, 2, "ann").await?));
    answers.push(format!("{:?}", add(&mut connection, 3, "ann").await.map_err(|e| named(&e))));
    answers.push(format!("{}", connection.is_in_transaction()));
    connection.ping().await?;
    drop(connection);

    let user = sqlx::query_as!(User, "SELECT id, name FROM users WHERE id = ?", 2_i64)
        .fetch_one(&pool)
        .await?;
    answers.push(format!("{} {user:?}", user.id));
    let missing: Result<User, _> =
        sqlx::query_as("SELECT id, name FROM users WHERE id = 99").fetch_one(&pool).await;
    answers.push(format!("{:?}", missing.map_err(|e| named(&e)).map(|user| user.name)));

    let mut builder = QueryBuilder::<Sqlite>::new("INSERT INTO users (id, name) ");
    builder.push_values([(4_i64, "bob"), (5, "eve")], |mut row, (id, name)| {
        row.push_bind(id).push_bind(name);
    });
    answers.push(format!("{}", builder.build().execute(&pool).await?.rows_affected()));
    let names: Vec<String> = sqlx::query("SELECT name FROM users ORDER BY id")
        .fetch(&pool)
        .map_ok(|row| row.get(0))
        .try_collect()
        .await?;
    answers.push(format!("{names:?}"));
    let raw = sqlx::raw_sql("SELECT 1; SELECT 2;").fetch_all(&pool).await?;
    answers.push(format!("{} rows", raw.len()));

    transactions(&pool, &mut answers).await?;
    limits(&pool, &mut answers).await?;
    Ok(answers)
}

async fn transactions(pool: &SqlitePool, answers: &mut Answers) -> Result<(), Error> {
    let mut transaction = pool.begin().await?;
    add(&mut transaction, 6, "tom").await?;
    answers.push(format!("in savepoint: {}", in_savepoint(&mut transaction).await?));
    answers.push(format!("in transaction: {}", count(&mut *transaction).await?));
    transaction.commit().await?;

    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    add(&mut transaction, 7, "dropped").await?;
    drop(transaction);
    answers.push(format!("after a drop: {}", count(pool).await?));

    let mut connection = pool.acquire().await?;
    let failed: Result<(), Error> = connection
        .transaction(|transaction| {
            Box::pin(async move {
                add(&mut *transaction, 8, "rolled back").await?;
                Err(Error::RowNotFound)
            })
        })
        .await;
    answers.push(format!("{:?} {}", failed.map_err(|e| named(&e)), count(&mut *connection).await?));
    answers.push(format!("{:?}", count_twice(&mut *connection).await?));
    drop(connection);
    answers.push(format!("{:?}", count_twice(pool).await?));
    add_in_transaction(pool, 9, "via acquire").await?;
    let mut connection = pool.acquire().await?;
    add_in_transaction(&mut *connection, 10, "via connection").await?;
    connection.close().await?;
    answers.push(format!("{}", count(pool).await?));
    Ok(())
}

async fn limits(pool: &SqlitePool, answers: &mut Answers) -> Result<(), Error> {
    let first = pool.acquire().await?;
    let second = pool.acquire().await?;
    answers.push(format!("size {} idle {}", pool.size(), pool.num_idle()));
    answers.push(format!("{:?}", pool.acquire().await.err().map(|e| named(&e))));
    answers.push(format!("{:?}", pool.try_acquire().is_none()));
    answers.push(format!("{:?}", pool.try_begin().await?.is_none()));
    let mut own: SqliteConnection = first.detach();
    answers.push(format!("detached: {}", count(&mut own).await?));
    own.close().await?;
    answers.push(format!("one: {}", one(second).await?));
    let closed = pool.close_event();
    pool.close().await;
    closed.await;
    answers.push(format!("{} {:?}", pool.is_closed(), count(pool).await.map_err(|e| named(&e))));
    Ok(())
}

async fn now_in<'e, E: PgExecutor<'e>>(executor: E) -> Result<i32, Error> {
    sqlx::query_scalar("SELECT 42").fetch_one(executor).await
}

async fn raw(connection: &mut PgConnection) -> Result<i32, Error> {
    now_in(connection).await
}

/// All that the application does with PostgreSQL, and what it was answered.
pub async fn on_postgres(url: &str) -> Result<Answers, Box<dyn std::error::Error>> {
    let mut answers = Answers::new();
    let [opened, looked_at, released] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let (counts_opened, counts_looked_at, counts_released) =
        (Arc::clone(&opened), Arc::clone(&looked_at), Arc::clone(&released));
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(3)
        .after_connect(move |connection, _| {
            counts_opened.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                connection.execute("SET application_name = 'app'").await?;
                Ok(())
            })
        })
        .before_acquire(move |_, metadata| {
            counts_looked_at.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { Ok(metadata.age >= metadata.idle_for) })
        })
        .after_release(move |_, _| {
            counts_released.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(true) })
        })
        .connect(url)
        .await?;
    let name: String = sqlx::query_scalar("SHOW application_name").fetch_one(&pool).await?;
    answers.push(name);
    MIGRATIONS.run(&pool).await?;
    MIGRATIONS.run(&pool).await?;
    answers.push(format!("{} {}", now_in(&pool).await?, raw(&mut *pool.acquire().await?).await?));

    sqlx::query("CREATE TYPE mood AS ENUM ('glad', 'sad')").execute(&pool).await?;
    let mood: Mood = sqlx::query_scalar("SELECT $1").bind(Mood::Sad).fetch_one(&pool).await?;
    answers.push(format!("{mood:?} {}", mood == Mood::Glad));

    let mut transaction = pool.begin().await?;
    let failed = transaction.execute("SELECT 1/0").await;
    answers.push(format!("{:?}", failed.map(drop).map_err(|e| named(&e))));
    let after = now_in(&mut *transaction).await;
    answers.push(format!("{:?}", after.map_err(|e| named(&e))));
    transaction.rollback().await?;
    answers.push(format!("{}", now_in(&pool).await?));

    copies(&pool, &mut answers).await?;
    locks_and_listens(&pool, &mut answers).await?;
    pool.close().await;
    answers.push(format!("{:?}", now_in(&pool).await.map_err(|e| named(&e))));
    answers.push(format!("hooks: {}", opened.load(Ordering::SeqCst) > 0));
    answers.push(format!("hooks: {}", looked_at.load(Ordering::SeqCst) > 0));
    answers.push(format!("hooks: {}", released.load(Ordering::SeqCst) > 0));

    let nowhere = PgPool::connect(&url.replace("/postgres", "/nowhere")).await;
    answers.push(format!("{:?}", nowhere.map(drop).map_err(|e| named(&e))));
    Ok(answers)
}

async fn copies(pool: &PgPool, answers: &mut Answers) -> Result<(), Error> {
    let mut connection = pool.acquire().await?;
    let mut copy = connection.copy_in_raw("COPY users FROM STDIN").await?;
    copy.send(&b"2\tann\n3\tbob\n"[..]).await?;
    answers.push(format!("copied {}", copy.finish().await?));
    drop(connection);
    let mut copy = pool.copy_in_raw("COPY users FROM STDIN").await?;
    copy.send(&b"4\teve\n"[..]).await?;
    answers.push(format!("copied {}", copy.finish().await?));
    let mut bytes = Vec::new();
    let mut parts = pool.copy_out_raw("COPY users TO STDOUT").await?;
    while let Some(part) = parts.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    answers.push(format!("{:?}", String::from_utf8_lossy(&bytes)));
    let missing = pool.copy_in_raw("COPY nowhere FROM STDIN").await;
    answers.push(format!("{:?}", missing.map(drop).map_err(|e| named(&e))));
    Ok(())
}

async fn locks_and_listens(pool: &PgPool, answers: &mut Answers) -> Result<(), Error> {
    let lock = PgAdvisoryLock::new("the app's");
    let held = lock.acquire(pool.acquire().await?).await?;
    let refused = lock.try_acquire(pool.acquire().await?).await?;
    answers.push(format!("refused: {}", refused.is_right()));
    held.release_now().await?;

    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("news").await?;
    sqlx::query("SELECT pg_notify('news', 'hello')").execute(pool).await?;
    let notification = listener.recv().await?;
    answers.push(format!("{}: {}", notification.channel(), notification.payload()));
    Ok(())
}
