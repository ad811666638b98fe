//! A web service on axum: the engine is its state, each request has a session, and its end is orderly.
//!
//! A request that succeeds is committed. One that fails is rolled back, and so is one whose client hangs
//! up. At the end no new request is taken, those under way are answered, and the pool closes its
//! connections.
//!
//! ```sh
//! cargo run --example web_axum                    # serves some requests of its own, and ends
//! cargo run --example web_axum 127.0.0.1:8080     # serves until it is interrupted
//! ```

use std::{error::Error, future::Future, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use everpool_axum::{SessionLayer, sqlx::RequestSession};
use everpool_sqlx::{Engine, EngineOptions, SessionMaker, create_engine};
use sqlx::Sqlite;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::oneshot,
};

/// How long requests under way may keep their connections at the end.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // For a server: `Postgres`, and "postgresql://scott:tiger@localhost/test".
    let engine = create_engine::<Sqlite>("sqlite:///:memory:", EngineOptions::default())?;
    sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL)")
        .execute(&engine)
        .await?;
    match std::env::args().nth(1) {
        Some(address) => serve(&engine, TcpListener::bind(address).await?, interrupt()).await,
        None => show(&engine).await,
    }
}

/// Serves until `end`, then answers what was asked before, and closes the pool.
async fn serve(
    engine: &Engine<Sqlite>,
    listener: TcpListener,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let sessions = SessionMaker::new(engine);
    let service = Router::new()
        .route("/users", get(list).post(add))
        .route("/slow", post(add_slowly))
        .layer(SessionLayer::new(move |_| sessions.session()));
    println!("serving at http://{}", listener.local_addr()?);
    axum::serve(listener, service)
        .with_graceful_shutdown(end)
        .await?;
    println!("{}", engine.close(GRACE).await);
    Ok(())
}

async fn interrupt() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("nobody can interrupt this: {error}");
        std::future::pending().await
    }
}

async fn list(mut session: RequestSession<Sqlite>) -> Result<String, Failure> {
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM users ORDER BY id")
        .fetch_all(&mut *session)
        .await?;
    Ok(names.join(", "))
}

/// Adds the users whose names are the lines of the body: all of them or none.
async fn add(mut session: RequestSession<Sqlite>, names: String) -> Result<&'static str, Failure> {
    for name in names.lines() {
        sqlx::query("INSERT INTO users (name) VALUES (?)")
            .bind(name)
            .execute(&mut *session)
            .await?;
    }
    Ok("added")
}

async fn add_slowly(
    session: RequestSession<Sqlite>,
    names: String,
) -> Result<&'static str, Failure> {
    let added = add(session, names).await?;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    Ok(added)
}

/// Why a request failed.
enum Failure {
    Conflict,
    Internal(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::Conflict,
            _ => Self::Internal(error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Conflict => (StatusCode::CONFLICT, "there is such a user").into_response(),
            Self::Internal(error) => {
                eprintln!("a request failed: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Serves, is its own client, and ends.
async fn show(engine: &Engine<Sqlite>) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, ended) = oneshot::channel::<()>();
    let client = async move {
        ask(address, "POST /users", "sandy\npatrick").await?;
        ask(address, "POST /users", "gary\nsandy").await?;
        hang_up(address, "POST /slow", "plankton").await?;
        ask(address, "GET /users", "").await?;
        drop(end);
        Ok(())
    };
    let server = serve(engine, listener, async {
        // It was dropped, which is the sign.
        let _dropped = ended.await;
    });
    tokio::try_join!(server, client)?;
    Ok(())
}

/// One request, and its answer.
async fn ask(to: impl ToSocketAddrs, what: &str, body: &str) -> Result<(), Box<dyn Error>> {
    let mut stream = send(to, what, body).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    let text = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    println!("{what} {body:?}: {status}, {text:?}");
    Ok(())
}

/// A request whose client does not wait for the answer.
async fn hang_up(to: impl ToSocketAddrs, what: &str, body: &str) -> Result<(), Box<dyn Error>> {
    let stream = send(to, what, body).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    println!("{what} {body:?}: the client hung up");
    Ok(())
}

async fn send(to: impl ToSocketAddrs, what: &str, body: &str) -> Result<TcpStream, Box<dyn Error>> {
    let mut stream = TcpStream::connect(to).await?;
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}
