//! What threads share, in one place, so that a model checker can take its place.

#[cfg(not(loom))]
pub(crate) use std::{
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread, thread_local,
};

/// A static variable; a model has its own in each run.
#[cfg(not(loom))]
macro_rules! global {
    (static $name:ident: $type:ty = $value:expr;) => {
        static $name: $type = $value;
    };
}
#[cfg(not(loom))]
pub(crate) use global;

#[cfg(loom)]
pub(crate) use {
    loom::sync::atomic::{AtomicBool, AtomicU32, Ordering},
    modelled::{global, mpsc, thread, thread_local},
};

#[cfg(not(loom))]
use parking_lot as locks;

#[cfg(loom)]
use modelled as locks;

pub(crate) use locks::MutexGuard as Guard;

/// On cache lines of its own, two of which processors may fetch at once.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

impl<T> std::ops::Deref for Apart<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A lock that a panic does not poison.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(locks::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(locks::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.0.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.0.try_lock()
    }

    /// Without a lock: nobody else has it.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// The model checker's, where it differs from what the pool uses.
#[cfg(loom)]
mod modelled {
    use std::{mem::ManuallyDrop, sync::PoisonError};

    pub(crate) use loom::sync::MutexGuard;
    use loom::sync::atomic::{AtomicBool, Ordering};

    /// The checker has no other thread run between taking a lock and letting it go, unless something
    /// is done there that others do too; so nobody would ever find it held.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T> {
        mutex: loom::sync::Mutex<T>,
        /// Not dropped, because the checker does not see that an `Arc` orders that.
        touched: ManuallyDrop<AtomicBool>,
    }

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self {
                mutex: loom::sync::Mutex::new(value),
                touched: ManuallyDrop::new(AtomicBool::new(false)),
            }
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            let guard = self.mutex.lock();
            self.touched.store(true, Ordering::Relaxed);
            guard.unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            let _anything = self.touched.load(Ordering::Relaxed);
            let guard = self.mutex.try_lock().ok()?;
            self.touched.store(true, Ordering::Relaxed);
            Some(guard)
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            let value = self.mutex.get_mut();
            value.unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// The checker's own `unpark` also wakes a thread that waits for a lock, and is forgotten by one
    /// that gets a lock.
    pub(crate) mod thread {
        use std::sync::Arc;

        use loom::sync::Notify;

        loom::thread_local! {
            static TOKEN: Arc<Notify> = Arc::new(Notify::new());
        }

        pub(crate) struct Thread(Arc<Notify>);

        impl Thread {
            pub(crate) fn unpark(&self) {
                self.0.notify();
            }
        }

        pub(crate) fn current() -> Thread {
            Thread(TOKEN.with(Arc::clone))
        }

        pub(crate) fn park() {
            TOKEN.with(Arc::clone).wait();
        }
    }

    /// Channels of which only the end is heard.
    pub(crate) mod mpsc {
        use std::{sync::Arc, time::Duration};

        use super::{AtomicBool, Ordering};

        use loom::sync::Notify;

        #[derive(Default)]
        struct End {
            has_come: AtomicBool,
            bell: Notify,
        }

        pub(crate) struct SyncSender(Arc<End>);
        pub(crate) struct Receiver(Arc<End>);

        #[expect(
            clippy::extra_unused_type_parameters,
            reason = "as the real one is called"
        )]
        pub(crate) fn sync_channel<T>(_: usize) -> (SyncSender, Receiver) {
            let end = Arc::default();
            (SyncSender(Arc::clone(&end)), Receiver(end))
        }

        impl Drop for SyncSender {
            fn drop(&mut self) {
                self.0.has_come.store(true, Ordering::Release);
                self.0.bell.notify();
            }
        }

        impl Receiver {
            /// Time does not pass in a model.
            pub(crate) fn recv_timeout(&self, _: Duration) {
                while !self.0.has_come.load(Ordering::Acquire) {
                    self.0.bell.wait();
                }
            }
        }
    }

    macro_rules! modelled_global {
        (static $name:ident: $type:ty = $value:expr;) => {
            loom::lazy_static! { static ref $name: $type = $value; }
        };
    }
    pub(crate) use modelled_global as global;

    /// The checker's does not know of `const`.
    macro_rules! modelled_local {
        () => {};
        ($(#[$note:meta])* static $name:ident: $type:ty = const { $value:expr }; $($rest:tt)*) => {
            loom::thread_local! { $(#[$note])* static $name: $type = $value }
            crate::sync::thread_local! { $($rest)* }
        };
        ($(#[$note:meta])* static $name:ident: $type:ty = $value:expr; $($rest:tt)*) => {
            loom::thread_local! { $(#[$note])* static $name: $type = $value }
            crate::sync::thread_local! { $($rest)* }
        };
    }
    pub(crate) use modelled_local as thread_local;
}
