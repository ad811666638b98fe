//! What the machine does, told story by story. Time is a number, the database a scripted answer.

mod ages;
mod aside;
mod classes;
mod clock;
mod connections;
mod hangs;
mod leaks;
mod operators;
mod options;
mod outages;
mod pings;
mod renewal;
mod rests;
mod status;
mod stock;
mod time;
mod waiters;
mod words;
