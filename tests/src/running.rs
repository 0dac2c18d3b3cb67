//! A program of the system that a story starts.

use std::process::{Child, Command};

/// A program that ends with the story.
pub struct Running(Child);

impl Running {
    /// Starts it; that it is not there fails the story.
    #[track_caller]
    pub fn start(command: &mut Command) -> Running {
        match command.spawn() {
            Ok(child) => Running(child),
            Err(error) => panic!("{} is needed: {error}", command.get_program().display()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
