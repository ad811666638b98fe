//! Starting the pool's own threads.
#![expect(
    unsafe_code,
    reason = "in a forked child the standard library's way waits for the parent's threads"
)]

use std::{io, thread};

use crate::fork;

type Job = Box<dyn FnOnce() + Send>;

/// Starts a thread that nobody joins.
///
/// A thread of the standard library's takes a lock of the whole process when it begins and when it
/// ends. A fork in that moment leaves the lock taken in the child for ever, and there every new
/// thread of that kind waits for it before it does anything. So a child's threads are the system's:
/// they differ in that they have no name, and that an overflow of their stack ends the process
/// without a word.
pub(crate) fn start(name: &str, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
    match fork::generation() {
        0 => {
            let thread = thread::Builder::new().name(name.into());
            thread.spawn(job).map(drop)
        }
        _ => start_plain(Box::new(job)),
    }
}

#[cfg(unix)]
fn start_plain(job: Job) -> io::Result<()> {
    use std::{ffi::c_void, mem::MaybeUninit, ptr};

    /// As much as a thread of the standard library's has. Some systems give far less by themselves.
    const STACK: usize = 2 << 20;

    extern "C" fn run(job: *mut c_void) -> *mut c_void {
        // SAFETY: it comes from `into_raw` below, and only this thread has it.
        let job = unsafe { Box::from_raw(job.cast::<Job>()) };
        let _panicked = crate::panics::shielded(job);
        ptr::null_mut()
    }

    let answered = |code| match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    };
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: it is initialised here, and used and destroyed only after that.
    answered(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
    let job = Box::into_raw(Box::new(job));
    // SAFETY: the attributes are initialised; the job is a live allocation that the new thread, if
    // there is one, takes over.
    let started = unsafe {
        let attributes = attributes.as_mut_ptr();
        // Without these it would have another stack, or leave a little memory behind.
        libc::pthread_attr_setstacksize(attributes, STACK);
        libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED);
        let mut thread = MaybeUninit::uninit();
        let code = libc::pthread_create(thread.as_mut_ptr(), attributes, run, job.cast());
        libc::pthread_attr_destroy(attributes);
        answered(code)
    };
    if started.is_err() {
        // SAFETY: there is no thread that has it.
        drop(unsafe { Box::from_raw(job) });
    }
    started
}

/// Without forks, there are no forked children.
#[cfg(not(unix))]
fn start_plain(job: Job) -> io::Result<()> {
    thread::Builder::new().spawn(job).map(drop)
}
