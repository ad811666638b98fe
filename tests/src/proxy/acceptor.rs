//! The thread that accepts a proxy's connections, while it does.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::pump;
use super::state::{Ends, Shared, reset};

#[derive(Debug)]
pub(super) struct Acceptor {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    pub(super) fn start(port: u16, server: PathBuf, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?);
        let accepting = Arc::clone(&listener);
        let accept = move || {
            while let Ok((client, _)) = accepting.accept() {
                connect(client, &server, &shared);
            }
        };
        Ok(Acceptor {
            listener,
            thread: Some(thread::spawn(accept)),
        })
    }
}

/// A client whose server cannot be reached is reset: it is too late to refuse it.
fn connect(client: TcpStream, server: &Path, shared: &Arc<Shared>) {
    // Without it small pieces may wait for each other; no reason to fail a test.
    let _ = client.set_nodelay(true);
    match UnixStream::connect(server) {
        Ok(server) => {
            let (client, server) = (Arc::new(client), Arc::new(server));
            pump::start(shared, Ends { client, server });
        }
        Err(_) => {
            reset(&client);
            shared.opened(None);
        }
    }
}

impl Drop for Acceptor {
    /// The port refuses when this returns.
    fn drop(&mut self) {
        // What does not listen any more is as it shall be.
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Read);
        if let Some(thread) = self.thread.take() {
            // It ends with the listener; if it panicked, it said so.
            let _ = thread.join();
        }
    }
}
