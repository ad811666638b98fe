//! What the machine does, told story by story. Time is a number, the database a scripted answer.

mod ages;
mod classes;
mod clock;
mod connections;
mod hangs;
mod leaks;
mod operators;
mod options;
mod outages;
mod pings;
mod rests;
mod status;
mod time;
mod waiters;
mod words;
