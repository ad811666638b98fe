//! The proxy does as told.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use everpool_tests::proxy::{Ending, Lost};
use everpool_tests::{MariaDb, PgBouncer, PostgreSql, Proxy};
use tempfile::TempDir;

/// A server that sends back whatever it is sent.
struct Echo {
    directory: TempDir,
}

impl Echo {
    fn start() -> Self {
        let echo = Echo {
            directory: tempfile::tempdir().unwrap(),
        };
        let listener = UnixListener::bind(echo.socket()).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || send_back(stream.unwrap()));
            }
        });
        echo
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }
}

fn send_back(mut stream: UnixStream) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
}

fn start() -> (Echo, Proxy) {
    let echo = Echo::start();
    let proxy = Proxy::to(&echo.socket()).unwrap();
    (echo, proxy)
}

/// A client that has been answered once, so that the proxy has accepted it.
fn connect(proxy: &Proxy) -> TcpStream {
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert_eq!(ask(&mut client, "hello"), "hello");
    client
}

fn ask(client: &mut TcpStream, text: &str) -> String {
    client.write_all(text.as_bytes()).unwrap();
    read(client, text.len())
}

fn read(client: &mut TcpStream, length: usize) -> String {
    let mut answer = vec![0; length];
    client.read_exact(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// What a client reads up to the end: of the stream, or an error.
fn rest(client: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut rest = Vec::new();
    let end = client
        .read_to_end(&mut rest)
        .err()
        .map(|error| error.kind());
    (String::from_utf8(rest).unwrap(), end)
}

#[test]
fn a_proxy_passes_and_counts() {
    let (_echo, proxy) = start();
    let mut one = connect(&proxy);
    let _other = connect(&proxy);
    assert_eq!(ask(&mut one, "more"), "more");
    // An answer may be read before it is counted.
    proxy
        .wait_until(|traffic| traffic[0].to_client == 9 && traffic[1].to_client == 5)
        .unwrap();
    proxy.freeze().unwrap();
    let traffic = proxy.traffic();
    assert_eq!(traffic.len(), 2);
    assert_eq!((traffic[0].from_client, traffic[0].to_server), (9, 9));
    assert_eq!((traffic[0].from_server, traffic[0].to_client), (9, 9));
    assert!(traffic[0].open && traffic[1].open);
    assert_eq!(traffic[1].to_server, 5);
}

#[test]
fn the_end_of_a_client_and_of_a_server_passes() {
    let (_echo, proxy) = start();
    drop(connect(&proxy));
    proxy.wait_until(|traffic| !traffic[0].open).unwrap();
    let socket = tempfile::tempdir().unwrap();
    let socket = socket.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let proxy = Proxy::to(&socket).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(rest(&mut client), (String::new(), None));
}

#[test]
fn a_cut_ends_every_connection_and_later_ones_live() {
    for (ending, end) in [
        (Ending::Fin, None),
        (Ending::Reset, Some(ErrorKind::ConnectionReset)),
    ] {
        let (_echo, proxy) = start();
        let (mut one, mut other) = (connect(&proxy), connect(&proxy));
        assert_eq!(proxy.cut(ending).unwrap(), 2);
        assert!(proxy.traffic().iter().all(|connection| !connection.open));
        assert_eq!(rest(&mut one), (String::new(), end));
        assert_eq!(rest(&mut other), (String::new(), end));
        assert_eq!(proxy.cut(ending).unwrap(), 0);
        connect(&proxy);
    }
}

#[test]
fn a_frozen_proxy_holds_both_ways_until_it_is_thawed() {
    let (_echo, proxy) = start();
    let mut client = connect(&proxy);
    proxy.freeze().unwrap();
    client.write_all(b"question").unwrap();
    proxy
        .wait_until(|traffic| traffic[0].from_client == 13)
        .unwrap();
    assert_eq!(proxy.traffic()[0].to_server, 5);
    proxy.thaw();
    assert_eq!(read(&mut client, 8), "question");
}

#[test]
fn a_frozen_proxy_holds_ends_and_answers_too() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let proxy = Proxy::to(&socket).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    proxy.freeze().unwrap();
    server.write_all(b"answer").unwrap();
    drop(server);
    proxy
        .wait_until(|traffic| traffic.iter().any(|connection| connection.from_server == 6))
        .unwrap();
    client.set_nonblocking(true).unwrap();
    let nothing = client.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    proxy.thaw();
    assert_eq!(rest(&mut client), ("answer".to_owned(), None));
}

#[test]
fn a_frozen_proxy_can_be_cut() {
    let (_echo, proxy) = start();
    let mut client = connect(&proxy);
    proxy.freeze().unwrap();
    client.write_all(b"lost").unwrap();
    proxy
        .wait_until(|traffic| traffic[0].from_client == 9)
        .unwrap();
    assert_eq!(proxy.cut(Ending::Reset).unwrap(), 1);
    assert_eq!(proxy.traffic()[0].to_server, 5);
    assert_eq!(rest(&mut client).1, Some(ErrorKind::ConnectionReset));
}

#[test]
fn a_delay_holds_each_way_and_ends_when_told() {
    let (_echo, proxy) = start();
    let mut client = connect(&proxy);
    let delay = Duration::from_millis(50);
    proxy.delay(delay);
    let asked = Instant::now();
    assert_eq!(ask(&mut client, "slow"), "slow");
    assert!(asked.elapsed() >= 2 * delay);
    proxy.delay(Duration::from_secs(3600));
    client.write_all(b"held").unwrap();
    proxy
        .wait_until(|traffic| traffic[0].from_client == 13)
        .unwrap();
    proxy.delay(Duration::ZERO);
    assert_eq!(read(&mut client, 4), "held");
}

#[test]
fn a_trickle_passes_byte_by_byte_and_ends_when_told() {
    let (_echo, proxy) = start();
    let mut client = connect(&proxy);
    let pause = Duration::from_millis(20);
    proxy.trickle(pause);
    let asked = Instant::now();
    client.write_all(b"slow").unwrap();
    let mut first = [0; 4];
    assert_eq!(client.read(&mut first).unwrap(), 1);
    assert_eq!(read(&mut client, 3), "low");
    assert!(asked.elapsed() >= 5 * pause);
    proxy.trickle(Duration::from_secs(3600));
    client.write_all(b"held").unwrap();
    proxy
        .wait_until(|traffic| traffic[0].from_client == 13)
        .unwrap();
    proxy.trickle(Duration::ZERO);
    assert_eq!(read(&mut client, 4), "held");
}

#[test]
fn what_is_open_is_frozen_and_what_comes_later_lives() {
    let (_echo, proxy) = start();
    let mut client = connect(&proxy);
    proxy.freeze_open().unwrap();
    client.write_all(b"question").unwrap();
    proxy
        .wait_until(|traffic| traffic[0].from_client == 13)
        .unwrap();
    connect(&proxy);
    assert_eq!(proxy.traffic()[0].to_server, 5);
    proxy.thaw();
    assert_eq!(read(&mut client, 8), "question");
}

#[test]
fn a_proxy_that_refuses_keeps_its_port_and_its_connections() {
    let (_echo, mut proxy) = start();
    let mut client = connect(&proxy);
    let port = proxy.port();
    proxy.refuse();
    proxy.refuse();
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(ask(&mut client, "still"), "still");
    proxy.accept().unwrap();
    proxy.accept().unwrap();
    assert_eq!(proxy.port(), port);
    connect(&proxy);
}

#[test]
fn an_answer_is_cut_after_so_many_bytes() {
    for (ending, end) in [
        (Ending::Fin, None),
        (Ending::Reset, Some(ErrorKind::ConnectionReset)),
    ] {
        let (_echo, proxy) = start();
        let (mut client, mut other) = (connect(&proxy), connect(&proxy));
        proxy.cut_answer_after(6, ending);
        assert_eq!(ask(&mut client, "half"), "half");
        client.write_all(b"answer").unwrap();
        assert_eq!(rest(&mut client), ("an".to_owned(), end));
        assert_eq!(ask(&mut other, "whole"), "whole");
        assert_eq!(proxy.traffic()[0].to_client, 11);
    }
}

#[test]
fn garbage_comes_instead_of_an_answer_and_nothing_after_it() {
    let (_echo, proxy) = start();
    let (mut client, mut other) = (connect(&proxy), connect(&proxy));
    proxy.answer_with("\u{1}?");
    client.write_all(b"one").unwrap();
    assert_eq!(read(&mut client, 2), "\u{1}?");
    client.write_all(b"two").unwrap();
    proxy
        .wait_until(|traffic| traffic[0].from_server == 11)
        .unwrap();
    assert_eq!(ask(&mut other, "sound"), "sound");
    proxy.cut(Ending::Fin).unwrap();
    assert_eq!(rest(&mut client), (String::new(), None));
}

#[test]
fn a_request_is_lost_by_its_text() {
    let (_echo, proxy) = start();
    let (mut client, mut other) = (connect(&proxy), connect(&proxy));
    proxy.cut_at("COMMIT", Lost::Request, Ending::Fin);
    assert_eq!(ask(&mut client, "COMMA"), "COMMA");
    assert!(proxy.awaits_request());
    client.write_all(b"\x01COMMIT\0").unwrap();
    assert_eq!(rest(&mut client), (String::new(), None));
    assert!(!proxy.awaits_request());
    assert_eq!(ask(&mut other, "COMMIT"), "COMMIT");
    assert_eq!(proxy.traffic()[0].to_server, 10, "the request did not pass");
}

#[test]
fn an_answer_is_lost_by_the_text_of_its_request() {
    let (_echo, proxy) = start();
    let (mut client, mut other) = (connect(&proxy), connect(&proxy));
    proxy.cut_at("COMMIT", Lost::Answer, Ending::Reset);
    assert_eq!(ask(&mut other, "BEGIN"), "BEGIN");
    client.write_all(b"COMMIT").unwrap();
    let reset = Some(ErrorKind::ConnectionReset);
    assert_eq!(rest(&mut client), (String::new(), reset));
    assert_eq!(ask(&mut other, "COMMIT"), "COMMIT");
    let traffic = proxy.traffic()[0];
    assert_eq!((traffic.to_server, traffic.from_server), (11, 11));
}

#[test]
fn a_client_is_reset_while_the_server_is_not_there() {
    let proxy = Proxy::to("/nonexistent/socket".as_ref()).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    assert_eq!(rest(&mut client).1, Some(ErrorKind::ConnectionReset));
    proxy.wait_until(|traffic| traffic.len() == 1).unwrap();
    assert!(!proxy.traffic()[0].open);
}

#[test]
fn what_is_waited_for_in_vain_is_told_with_the_traffic() {
    let (_echo, proxy) = start();
    connect(&proxy);
    let error = proxy.wait_until(|traffic| traffic.len() == 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("from_client: 5"), "{error}");
}

#[test]
fn a_dropped_proxy_ends_its_connections_and_refuses() {
    let (_echo, proxy) = start();
    let mut client = connect(&proxy);
    let port = proxy.port();
    drop(proxy);
    assert_eq!(rest(&mut client), (String::new(), None));
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
}

#[test]
fn a_proxy_stands_in_front_of_any_server() {
    let server = PostgreSql::start().unwrap();
    let bouncer = PgBouncer::start(&server).unwrap();
    for socket in [server.socket(), bouncer.socket()] {
        let proxy = Proxy::to(&socket).unwrap();
        let mut client = PgConnection::establish(&server.url_at(proxy.port())).unwrap();
        client.batch_execute("select 1").unwrap();
        proxy.cut(Ending::Reset).unwrap();
        client.batch_execute("select 1").unwrap_err();
    }
    let server = MariaDb::start().unwrap();
    let proxy = Proxy::to(&server.socket()).unwrap();
    assert!(
        server
            .url_at(proxy.port())
            .contains(&format!(":{}/", proxy.port()))
    );
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    proxy
        .wait_until(|traffic| traffic[0].to_client > 5)
        .unwrap();
}
