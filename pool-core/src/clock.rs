//! The pool's timer: one thread, started when something is to be done later, that leaves when there
//! is nothing left. It belongs to no runtime, so a deadline holds even if a runtime stands still.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{machine::Time, now::now, panics::shielded, start::start};

/// For how long the thread waits for another appointment.
const PATIENCE: Duration = Duration::from_secs(10);

/// When, and the how-manieth.
type Key = (Time, u64);

enum Appointment {
    Job(Box<dyn FnOnce() + Send>),
    Wake(Waker),
}

#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Dial>);

#[derive(Default)]
struct Dial {
    face: Mutex<Face>,
    bell: Condvar,
}

#[derive(Default)]
struct Face {
    appointments: BTreeMap<Key, Appointment>,
    next: u64,
    is_ticking: bool,
    is_stopped: bool,
}

impl Clock {
    /// Has a short job done at a time, by the clock's thread; never, if the clock is stopped before.
    pub(crate) fn at(&self, when: Time, job: impl FnOnce() + Send + 'static) {
        let _key = self.appoint(when, Appointment::Job(Box::new(job)));
    }

    /// Is ready after a time.
    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        Sleep {
            clock: self.clone(),
            until: now() + duration,
            appointed: None,
        }
    }

    /// Forgets all appointments; the thread leaves.
    pub(crate) fn stop(&self) {
        let forgotten = {
            let mut face = self.0.lock();
            face.is_stopped = true;
            std::mem::take(&mut face.appointments)
        };
        self.0.bell.notify_one();
        drop(forgotten);
    }

    fn appoint(&self, when: Time, appointment: Appointment) -> Key {
        let mut face = self.0.lock();
        let key = (when, face.next);
        face.next += 1;
        if face.is_stopped {
            return key;
        }
        let is_first = face
            .appointments
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        face.appointments.insert(key, appointment);
        let is_ticking = std::mem::replace(&mut face.is_ticking, true);
        drop(face);
        if !is_ticking {
            self.start();
        } else if is_first {
            self.0.bell.notify_one();
        }
        key
    }

    fn start(&self) {
        // In a model, time does not pass.
        if cfg!(loom) {
            return;
        }
        let dial = Arc::clone(&self.0);
        if let Err(error) = start("everpool-clock", move || dial.run()) {
            self.0.lock().is_ticking = false;
            tracing::error!(%error, "the pool's clock has no thread; deadlines may be late");
        }
    }
}

impl Dial {
    fn lock(&self) -> MutexGuard<'_, Face> {
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        while let Some(due) = self.next() {
            let _panicked = shielded(|| match due {
                Appointment::Job(job) => job(),
                Appointment::Wake(waker) => waker.wake(),
            });
        }
    }

    /// Waits for the next appointment that is due.
    fn next(&self) -> Option<Appointment> {
        let mut face = self.lock();
        loop {
            let now = now();
            let first = face.appointments.first_entry();
            let (wait, is_last) = match first {
                Some(first) if first.key().0 <= now => return Some(first.remove()),
                Some(first) => (first.key().0.since(now), false),
                None => (PATIENCE, true),
            };
            if face.is_stopped {
                return None;
            }
            let waited = self.bell.wait_timeout(face, wait);
            let timed_out;
            (face, timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
            if is_last && timed_out.timed_out() && face.appointments.is_empty() {
                face.is_ticking = false;
                return None;
            }
        }
    }
}

/// See [`Clock::sleep`]. Dropped, it costs the clock nothing any more.
pub(crate) struct Sleep {
    clock: Clock,
    until: Time,
    appointed: Option<Key>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        if now() >= until {
            return Poll::Ready(());
        }
        self.cancel();
        let wake = Appointment::Wake(context.waker().clone());
        self.appointed = Some(self.clock.appoint(until, wake));
        Poll::Pending
    }
}

impl Sleep {
    fn cancel(&mut self) {
        if let Some(key) = self.appointed.take() {
            let cancelled = self.clock.0.lock().appointments.remove(&key);
            drop(cancelled);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}
