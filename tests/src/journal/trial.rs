//! One library on one database.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::course::Course;
use super::disturbance::Disturbance;
use super::judge::judge;
use super::server::Server;
use super::site::Site;
use super::tally::Tally;
use super::worker::{Diary, Worker};
use super::writer::Writer;
use super::{Failure, Report};

const WORKERS: u32 = 8;

/// How long a worker may take for a commit when nothing is disturbed any more.
const PATIENCE: Duration = Duration::from_secs(45);

/// Blocks for so long, and for as long as the workers need to come to an end.
pub(super) fn hold<S: Server, W: Writer>(
    length: Duration,
    mut rng: Rng,
) -> Result<Report, Failure> {
    let mut site = Site::<S>::open()?;
    let engine = W::engine(&site.url())?;
    let course = Arc::new(Course::begin());
    let diaries = start::<W>(&engine, &course, &mut rng)?;
    let disturbed = disturb(&mut site, length, &mut rng, &course);
    course.calm_down();
    let disturbances = disturbed?;
    let diary = collect(&diaries)?;
    Ok(Report {
        verdict: judge(&diary.claims, &site.last_rows()?),
        disturbances,
        errors: diary.errors,
        repeated: diary.repeated,
        silence: course.longest_silence(),
    })
}

/// The workers are not waited for by their threads: one that hangs is to be told.
fn start<W: Writer>(
    engine: &W::Engine,
    course: &Arc<Course>,
    rng: &mut Rng,
) -> Result<Receiver<Diary>, Failure> {
    let (sender, diaries) = mpsc::channel();
    for number in 0..WORKERS {
        let worker = Worker {
            number,
            rng: rng.fork(),
            writer: W::new(engine),
            course: Arc::clone(course),
        };
        let sender = sender.clone();
        // If nobody waits for a diary any more, the trial has failed.
        let work = move || drop(sender.send(worker.work()));
        thread::Builder::new().spawn(work)?;
    }
    Ok(diaries)
}

fn disturb<S: Server>(
    site: &mut Site<S>,
    length: Duration,
    rng: &mut Rng,
    course: &Course,
) -> Result<Tally, Failure> {
    let (mut disturbances, end) = (Tally::default(), Instant::now() + length);
    loop {
        thread::sleep(Duration::from_millis(rng.u64(20..500)));
        if Instant::now() > end {
            return Ok(disturbances);
        }
        let disturbance = Disturbance::draw(rng);
        let takes_it_away = disturbance.takes_it_away();
        course.disturbed(disturbance.name());
        if takes_it_away {
            course.away();
        }
        site.disturb(disturbance)?;
        if takes_it_away {
            course.back();
        }
        disturbances.add(disturbance.name());
    }
}

fn collect(diaries: &Receiver<Diary>) -> Result<Diary, Failure> {
    let (mut all, deadline) = (Diary::default(), Instant::now() + PATIENCE);
    for ended in 0..WORKERS {
        let left = deadline.saturating_duration_since(Instant::now());
        let diary = diaries.recv_timeout(left).map_err(|_| {
            let seconds = PATIENCE.as_secs();
            format!("{ended} of {WORKERS} workers could commit within {seconds} s after the last disturbance")
        })?;
        all.join(diary);
    }
    Ok(all)
}
